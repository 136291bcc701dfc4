// Package exchange exchanges a Microsoft Entra access token for an ACR refresh token. It
// is the only package that calls a registry, and a get calls one address only:
// https://<validated host>/oauth2/exchange. (Azure/acr, docs/AAD-OAuth.md, "Calling POST
// /oauth2/exchange". The challenge that the document begins with isn't needed: host,
// service and path are known, and other clients sent tokens to the wrong host because
// they believed a realm.) What login and doctor ask of the same host is in probe.go.
package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// maxAnswer limits what is read of an answer; real ones have 1 to 4 KB.
const maxAnswer = 64 << 10

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Now is the clock that a token's life is counted by.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// Connect begins to open the connection to a registry, for the one exchange that will need
// it soon, and returns a client that uses it. Close the connection.
func (c Client) Connect(ctx context.Context, host registry.Host) (Client, *httpguard.Connection) {
	connection := httpguard.Connect(ctx, c.Transport, host.String())
	c.Transport = connection
	return c, connection
}

// Exchange exchanges an access token for the registry's refresh token, at the cost of
// one request. A token without an end must not be cached: its claims can't be read, or
// are not plausible.
func (c Client) Exchange(ctx context.Context, host registry.Host, access secret.Token) (secret.Token, error) {
	resp, body, err := c.send(host, newRequest(ctx, host, http.MethodPost, "/oauth2/exchange", url.Values{
		"grant_type": {"access_token"}, "service": {host.String()}, "access_token": {access.Value.Reveal()},
	}))
	if err != nil {
		return secret.Token{}, err
	}
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	err = json.Unmarshal(body, &answer)
	if err != nil || len(answer.RefreshToken) > maxToken || !text.IsVisible(answer.RefreshToken) {
		return secret.Token{}, unexpected(host, fault.NotJSON, "returned no usable refresh_token")
	}
	now := c.Now()
	token := secret.Token{Value: secret.New(answer.RefreshToken), Issued: now}
	claims, err := Parse(answer.RefreshToken)
	if err != nil || !claims.For(host) {
		c.Log.Debug("the token is used once and not cached", "why", "its claims can't be read or name another registry")
		return token, nil
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		date = now
	}
	switch life := claims.life(date); {
	case life <= 0:
		return secret.Token{}, unexpected(host, fault.RegistryExpired, "returned a token that has already expired")
	case life > maxLife:
		c.Log.Debug("the token is used once and not cached", "why", "its life is not plausible", "life", life)
	default:
		token.Expires = claims.end(now, date, life)
	}
	return token, nil
}

func unexpected(host registry.Host, code fault.Code, reason string) error {
	return &fault.Error{Code: code, Subject: host.String(), Reason: reason}
}

// newRequest returns a request with a form; nil for none. It can't fail, because a Host
// fits into a URL.
func newRequest(ctx context.Context, host registry.Host, method, path string, form url.Values) *http.Request {
	u := url.URL{Scheme: "https", Host: host.String(), Path: path}
	req, _ := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(form.Encode()))
	req.Header.Set("Accept", "application/json")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

// send sends a request to a registry, and reads the answer. A status other than 200 is an
// error, along with which the answer is returned.
func (c Client) send(host registry.Host, req *http.Request) (*http.Response, []byte, error) {
	resp, body, err := httpguard.New(c.Transport, host.String(), maxAnswer, c.Log).Send(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = refusal(resp, body)
	}
	return resp, body, err
}

// codes has the codes of refusals. A missing role and a refused audience look alike.
var codes = map[int]fault.Code{
	http.StatusUnauthorized:          fault.RegistryUnauthorized,
	http.StatusForbidden:             fault.RegistryDenied,
	http.StatusNotFound:              fault.RegistryNotFound,
	http.StatusRequestEntityTooLarge: fault.RegistryTooLarge,
	http.StatusTooManyRequests:       fault.RegistryThrottled,
}

// refusal is the error for a registry's refusal. Of the body it uses only parts of a
// known form, because a registry's message may quote what was sent.
// (The catalogue of answers: Azure/acr docs, "Troubleshoot registry login", and the
// issues that record real ones.)
func refusal(resp *http.Response, body []byte) *fault.Error {
	e := &fault.Error{
		Code: cmp.Or(codes[resp.StatusCode], fault.RegistryOther), Status: resp.StatusCode,
		RetryAfter: httpguard.RetryAfter(resp), CorrelationID: httpguard.CorrelationID(resp.Header),
	}
	if e.Status >= http.StatusInternalServerError {
		e.Code = fault.RegistryUnavailable
	}
	var envelope struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Errors) == 0 {
		return e
	}
	message := envelope.Errors[0].Message
	e.CorrelationID = cmp.Or(find(`CorrelationId: ([0-9A-Fa-f-]{8,36})`, message), e.CorrelationID)
	client := find(`client with IP ['"]([0-9A-Fa-f.:]{3,45})['"]`, message)
	if client != "" && e.Code == fault.RegistryDenied {
		e.Code, e.Reason = fault.RegistryFirewall, "the registry's firewall blocks the address "+client
	}
	return e
}

// find returns what a pattern's group matches. Refusals are rare, so the pattern is
// compiled here and not at every start of the program.
func find(pattern, text string) string {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return found[1]
}
