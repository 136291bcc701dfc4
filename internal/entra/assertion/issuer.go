package assertion

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// maxAnswer bounds an issuer's answer, which is one token.
const maxAnswer = 64 << 10

// fromGitHub asks GitHub's issuer about the job that we run in. The token lives
// five minutes, so every sign-in gets its own. (GitHub Docs, "OpenID Connect
// reference".)
func (c Client) fromGitHub(ctx context.Context, fed identity.Federation, audience string) (secret.String, error) {
	req, err := newRequest(ctx, http.MethodGet, "GitHub Actions", fed, url.Values{"audience": {audience}})
	if err != nil {
		return secret.String{}, err
	}
	return c.ask("GitHub Actions", req)
}

// fromAzurePipelines asks Azure DevOps about the job that we run in. The audience
// is Azure DevOps's own business. (Microsoft Learn, "Oidctoken - Create";
// azidentity's AzurePipelinesCredential for the header, which gets 401 instead of
// a sign-in page.)
func (c Client) fromAzurePipelines(ctx context.Context, fed identity.Federation) (secret.String, error) {
	if fed.Connection == "" {
		return secret.String{}, &Error{why: "nothing says which service connection of Azure Pipelines to use", code: CodeMissing}
	}
	req, err := newRequest(ctx, http.MethodPost, "Azure Pipelines", fed,
		url.Values{"api-version": {"7.1"}, "serviceConnectionId": {fed.Connection}})
	if err != nil {
		return secret.String{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-TFS-FedAuthRedirect", "Suppress")
	return c.ask("Azure Pipelines", req)
}

// newRequest adds parameters to an address that the environment names, and the
// secret to be shown there, which is why nothing but plain https will do.
func newRequest(ctx context.Context, method, issuer string, fed identity.Federation, add url.Values) (*http.Request, error) {
	u, err := url.Parse(fed.RequestURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, &Error{why: "the address of " + issuer + "' token issuer is not https, or has more than host, path and query", code: CodeIssuerURL}
	}
	if fed.RequestToken.IsZero() {
		return nil, &Error{why: issuer + " gave the job no token to ask its issuer with", code: CodeMissing}
	}
	query := u.Query()
	for name, values := range add {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, &Error{why: "the address of " + issuer + "' token issuer can't be used", code: CodeIssuerURL}
	}
	req.Header.Set("Authorization", "Bearer "+fed.RequestToken.Reveal())
	req.Header.Set("Accept", "application/json")
	return req, nil
}

// ask sends the request to its host and no other.
func (c Client) ask(issuer string, req *http.Request) (secret.String, error) {
	host := req.URL.Host
	resp, err := guard.New(c.Transport, host, maxAnswer, c.Log).Do(req)
	if err != nil {
		return secret.String{}, &Error{why: issuer + "' token issuer", cause: guard.Explain(host, err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return secret.String{}, refusal(issuer, resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return secret.String{}, &Error{why: issuer + "' token issuer", cause: guard.Explain(host, err)}
	}
	var answer struct {
		Value     string `json:"value"`     // GitHub
		OIDCToken string `json:"oidcToken"` // Azure Pipelines
	}
	if json.Unmarshal(body, &answer) != nil {
		return secret.String{}, &Error{why: issuer + "' token issuer answered with something else than a token", code: CodeNotToken}
	}
	token := answer.Value + answer.OIDCToken
	if _, err := parse(token); err != nil {
		return secret.String{}, &Error{why: issuer + "' token issuer answered with something else than a token", code: CodeNotToken}
	}
	return secret.New(token), nil
}

// refusal goes by the status alone: texts of answers stay out of errors.
func refusal(issuer string, resp *http.Response) *Error {
	e := &Error{why: issuer + "' token issuer", wait: guard.RetryAfter(resp)}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNonAuthoritativeInfo:
		e.why, e.code = e.why+" does not accept the job's token", CodeRefused
	case status == http.StatusNotFound && issuer == "Azure Pipelines":
		e.why, e.code = e.why+" knows no such service connection", CodeConnection
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		e.why, e.code = e.why+" has trouble for the moment", CodeTrouble
	default:
		e.why, e.code = e.why+" refused", CodeRefused
	}
	e.why += " (status " + strconv.Itoa(resp.StatusCode) + ")"
	return e
}
