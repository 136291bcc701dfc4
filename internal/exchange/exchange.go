// Package exchange swaps a Microsoft Entra access token for an ACR refresh
// token. It is the only package that calls a registry, and a get calls one address
// only: https://<validated host>/oauth2/exchange. (Azure/acr, docs/AAD-OAuth.md,
// "Calling POST /oauth2/exchange". The challenge that the document begins with
// isn't needed: host, service and path are known, and to believe a realm is how
// other clients came to send tokens to strangers.) What login and doctor ask besides,
// of the same host, is in probe.go.
package exchange

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// maxAnswer bounds what is read of an answer; honest ones have 1 to 4 KB.
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

// RefreshToken swaps an access token for the registry's refresh token, at the
// cost of one request. A token without an end is one that must not be kept:
// its claims could not be read, or can't be believed.
func (c Client) RefreshToken(ctx context.Context, host registry.Host, access secret.Token) (secret.Token, error) {
	form := url.Values{
		"grant_type":   {"access_token"},
		"service":      {host.String()},
		"access_token": {access.Value.Reveal()},
	}
	endpoint := url.URL{Scheme: "https", Host: host.String(), Path: "/oauth2/exchange"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return secret.Token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body, err := c.send(host, req)
	if err != nil {
		return secret.Token{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return secret.Token{}, newError(resp, body)
	}
	return c.parseAnswer(host, resp.Header, body)
}

// send sends a request to a registry, and reads the answer.
func (c Client) send(host registry.Host, req *http.Request) (*http.Response, []byte, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := guard.New(c.Transport, host.String(), maxAnswer, c.Log).Do(req)
	if err != nil {
		return nil, nil, guard.Explain(host.String(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, guard.Explain(host.String(), err)
	}
	return resp, body, nil
}

func (c Client) parseAnswer(host registry.Host, header http.Header, body []byte) (secret.Token, error) {
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &answer) != nil || !wellFormed(answer.RefreshToken) {
		return secret.Token{}, &guard.Error{Host: host.String(), Why: "answered without a usable refresh_token", Hint: guard.CodeNotJSON}
	}
	now := c.Now()
	token := secret.Token{Value: secret.New(answer.RefreshToken), Issued: now}
	claims, err := Parse(answer.RefreshToken)
	if err != nil || !claims.For(host) {
		c.Log.Debug("the token is used once and not kept", "why", "its claims can't be read or name another registry")
		return token, nil
	}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		date = now
	}
	switch life := claims.life(date); {
	case life <= 0:
		return secret.Token{}, &guard.Error{Host: host.String(), Why: "answered with a token that has already expired", Hint: CodeExpired}
	case life > maxLife:
		c.Log.Debug("the token is used once and not kept", "why", "its life can't be believed", "life", life)
	default:
		token.Expires = now.Add(life)
	}
	return token, nil
}
