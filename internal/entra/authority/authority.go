// Package authority speaks to an authority of Microsoft Entra on MSAL's behalf: to
// that host and no other, with refusals turned into errors that quote nothing.
package authority

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

// maxAnswer bounds what is read of an answer; tokens of people with many groups
// reach tens of kilobytes.
const maxAnswer = 1 << 20

// A Client is the HTTP client that MSAL gets: every answer but 200 becomes an
// Error before MSAL sees it.
type Client struct {
	http *http.Client
	host string
}

// NewClient returns a client for an authority's host, which reaches it through
// base.
func NewClient(base http.RoundTripper, host string, log *slog.Logger) *Client {
	return &Client{guard.New(base, host, maxAnswer, log), host}
}

// Do sends a request of MSAL's.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, guard.Explain(c.host, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, guard.Explain(c.host, err)
	}
	return nil, newError(resp, body)
}

// CloseIdleConnections completes what MSAL asks of a client.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Translate keeps MSAL's own texts away from people: they quote whole bodies.
func Translate(ctx context.Context, host string, err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	var failed *guard.Error
	if errors.As(err, &failed) {
		return failed
	}
	if ctx.Err() != nil {
		return guard.Explain(host, ctx.Err())
	}
	return &guard.Error{Host: host, Why: "answered in a way that can't be believed", Hint: guard.CodeNotJSON}
}
