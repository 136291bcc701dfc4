package clientcredential

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const (
	// maxAnswer limits an issuer's answer, which is one token.
	maxAnswer = 64 << 10
	// maxToken is the longest token that is accepted. Those of CI systems have 1 to 2 KB,
	// with many custom claims 6.
	maxToken = 64 << 10
	// clockSkew is how far Entra lets clocks differ.
	clockSkew = 5 * time.Minute
)

// assertion returns a token from the one source that a federation has.
func (c Client) assertion(ctx context.Context, id identity.Identity, audience string) (secret.String, error) {
	f := *id.Federation
	switch {
	case f.File != "":
		// Kubernetes replaces the token long before it expires, so the file is read each
		// time. Kubernetes' own path is a symbolic link, so links are followed.
		token, err := readText(f.File, maxToken)
		if err != nil {
			return secret.String{}, err
		}
		return c.checkExpiry("the token in "+f.File, token)
	case !f.Token.IsZero():
		return c.checkExpiry("the federated token", strings.TrimSpace(f.Token.Reveal()))
	case f.ManagedIdentity != "":
		return c.fromManagedIdentity(ctx, id, audience)
	case f.RequestURL == "":
		return secret.String{}, fault.New(fault.FederatedTokenMissing, "no source of the federated token is configured")
	case id.Kind != identity.AzurePipelines && f.Connection == "":
		return c.ask(ctx, gitHubActions(audience), f)
	case f.Connection == "":
		return secret.String{}, fault.New(fault.FederatedTokenMissing, "no Azure Pipelines service connection is set")
	}
	return c.ask(ctx, azurePipelines(f.Connection), f)
}

// readText reads a text file that must not be empty, without the white space around it.
func readText(path string, limit int64) (string, error) {
	content, err := safefile.Read(path, limit)
	if err == nil {
		content, err = safefile.Text(content)
	}
	text := strings.TrimSpace(string(content))
	reason := "can't be read"
	switch {
	case err == nil && text != "":
		return text, nil
	case err == nil:
		reason = "is empty"
	case errors.Is(err, fs.ErrNotExist):
		reason = "does not exist"
	case errors.Is(err, safefile.ErrNotRegular):
		reason = "is not a regular file"
	case errors.Is(err, safefile.ErrTooLong):
		reason = "is too long"
	case errors.Is(err, safefile.ErrUTF16):
		reason = "is UTF-16 text; save it as UTF-8"
	}
	return "", &fault.Error{Code: fault.FederatedTokenMissing, Subject: path, Reason: reason}
}

// checkExpiry refuses a token that Entra would refuse for its age, because it knows the
// cause: AADSTS700024 could also mean that our clock is wrong. An issuer that answers now
// isn't checked, because then nothing else is possible.
func (c Client) checkExpiry(what, token string) (secret.String, error) {
	claims, err := parse(token)
	if err != nil {
		return secret.String{}, fault.New(fault.FederatedTokenMalformed, "%s is not a JSON Web Token", what)
	}
	if claims.ExpiresAt != nil && !c.Now().Before(claims.ExpiresAt.Add(clockSkew)) {
		return secret.String{}, fault.New(fault.FederatedTokenExpired, "%s expired at %s and was not replaced",
			what, claims.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return secret.New(token), nil
}

// parse reads the claims of a token that only Entra can verify.
func parse(token string) (jwt.RegisteredClaims, error) {
	var claims jwt.RegisteredClaims
	if len(token) > maxToken {
		return claims, errors.New("too long")
	}
	_, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	return claims, err
}

func (c Client) fromManagedIdentity(ctx context.Context, id identity.Identity, audience string) (secret.String, error) {
	managed := identity.Identity{
		Kind: identity.ManagedIdentity, ClientID: id.Federation.ManagedIdentity, Endpoint: id.Endpoint,
	}
	token, err := c.ManagedIdentity(ctx, managed, audience)
	if err != nil {
		return secret.String{}, fault.Because("managed identity "+managed.ClientID+", which issues the federated token",
			fault.FederatedTokenManaged, err)
	}
	return token.Value, nil
}

// An issuer is a CI system's, which gives a job a token at the address and for the
// request token in its environment.
type issuer struct {
	name, method string
	tokenVar     string // usually has the request token
	parameters   url.Values
	header       http.Header
}

// gitHubActions has tokens that live five minutes, so every sign-in gets its own. (GitHub
// Docs, "OpenID Connect reference".)
func gitHubActions(audience string) issuer {
	return issuer{
		name: "the token issuer of GitHub Actions", method: http.MethodGet, tokenVar: "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
		parameters: url.Values{"audience": {audience}},
	}
}

// azurePipelines is Azure DevOps, which chooses the audience itself. (Microsoft Learn,
// "Oidctoken - Create"; azidentity's AzurePipelinesCredential for the header, which gets
// 401 instead of a sign-in page.)
func azurePipelines(connection string) issuer {
	return issuer{
		name: "the token issuer of Azure Pipelines", method: http.MethodPost, tokenVar: "SYSTEM_ACCESSTOKEN",
		parameters: url.Values{"api-version": {"7.1"}, "serviceConnectionId": {connection}},
		header:     http.Header{"Content-Type": {"application/json"}, "X-Tfs-Fedauthredirect": {"Suppress"}},
	}
}

// ask asks an issuer for a token.
func (c Client) ask(ctx context.Context, i issuer, f identity.Federation) (secret.String, error) {
	req, err := i.request(f)
	if err != nil {
		return secret.String{}, err
	}
	resp, body, err := httpguard.New(c.Transport, req.URL.Host, maxAnswer, c.Log).Send(req.WithContext(ctx))
	if err != nil {
		return secret.String{}, fault.Because(i.name, "", err)
	}
	if resp.StatusCode != http.StatusOK {
		return secret.String{}, i.refusal(resp)
	}
	var answer struct {
		Value     string `json:"value"`     // GitHub
		OIDCToken string `json:"oidcToken"` // Azure Pipelines
	}
	err = json.Unmarshal(body, &answer)
	token := answer.Value + answer.OIDCToken
	if err == nil {
		_, err = parse(token)
	}
	if err != nil {
		return secret.String{}, fault.New(fault.FederatedTokenMalformed, "%s returned no token", i.name)
	}
	return secret.New(token), nil
}

// request adds parameters to the address that the environment names, and the request
// token, which is why only https is accepted.
func (i issuer) request(f identity.Federation) (*http.Request, error) {
	u, ok := parseHTTPS(f.RequestURL)
	if !ok {
		return nil, fault.New(fault.IssuerURL,
			"the URL of %s must be https, without user and fragment", i.name)
	}
	if f.RequestToken.IsZero() {
		return nil, fault.New(fault.FederatedTokenMissing, "the job has no request token for %s (%s)", i.name, i.tokenVar)
	}
	query := u.Query()
	maps.Copy(query, i.parameters)
	u.RawQuery = query.Encode()
	header := http.Header{
		"Authorization": {"Bearer " + f.RequestToken.Reveal()}, "Accept": {"application/json"},
	}
	maps.Copy(header, i.header)
	return &http.Request{Method: i.method, URL: u, Header: header}, nil
}

// parseHTTPS parses an address that may get a secret: https, without user and fragment.
func parseHTTPS(address string) (u *url.URL, ok bool) {
	u, err := url.Parse(address)
	return u, err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Fragment == ""
}

// refusal goes by the status alone: texts of answers stay out of errors.
func (i issuer) refusal(resp *http.Response) error {
	e := &fault.Error{
		Code: fault.IssuerRefused, Subject: i.name, Reason: "refused the request", Status: resp.StatusCode,
		RetryAfter: httpguard.RetryAfter(resp),
	}
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden,
		e.Status == http.StatusNonAuthoritativeInfo: // Azure DevOps' sign-in page
		e.Reason = "does not accept the job's token"
	case e.Status == http.StatusNotFound && i.parameters.Has("serviceConnectionId"):
		e.Code, e.Reason = fault.IssuerConnection, "has no such service connection"
	case e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError:
		e.Code, e.Reason = fault.IssuerUnavailable, "is temporarily unavailable"
	}
	return e
}
