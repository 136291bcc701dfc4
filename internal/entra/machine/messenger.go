package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

const (
	// maxAnswer bounds what is read of an answer. Tokens of machines have few
	// claims: they weigh two kilobytes.
	maxAnswer = 64 << 10
	// attemptLimit bounds one request: IMDS may have to ask Entra first.
	attemptLimit = 10 * time.Second
	// dialLimit bounds one connection: endpoints are neighbours.
	dialLimit = time.Second
)

// A messenger is the HTTP client that MSAL gets for one Token. It goes to one
// address, takes every answer apart before MSAL sees it, and repeats what a moment
// may mend.
type messenger struct {
	id      identity.Identity
	address *url.URL
	http    *http.Client
	log     *slog.Logger
	getenv  func(string) string
	probed  bool   // IMDS is there
	realm   string // what Azure Arc's challenge named
	keyed   bool   // the challenge was met
}

func (c Client) messenger(id identity.Identity) (*messenger, error) {
	address, err := c.address(id.Endpoint)
	if err != nil {
		return nil, err
	}
	if err := agree(id.Endpoint); err != nil {
		return nil, err
	}
	client := &http.Client{Transport: direct(c.Transport), CheckRedirect: dontFollow, Timeout: attemptLimit}
	return &messenger{id: id, address: address, http: client, log: c.Log, getenv: c.Getenv}, nil
}

func dontFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// direct is a transport like base, but without a proxy, which would see a
// neighbour's secret and can't reach the neighbour: Go sends even 169.254.169.254
// through HTTP_PROXY.
func direct(base http.RoundTripper) http.RoundTripper {
	t, ok := base.(*http.Transport)
	if base != nil && !ok {
		return base
	}
	if t == nil {
		t = &http.Transport{}
	}
	t = t.Clone()
	t.Proxy = nil
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialLimit)
		defer cancel()
		return dial(ctx, network, addr)
	}
	return t
}

// CloseIdleConnections completes what MSAL asks of a client.
func (m *messenger) CloseIdleConnections() { m.http.CloseIdleConnections() }

// Do sends a request of MSAL's.
func (m *messenger) Do(req *http.Request) (*http.Response, error) {
	if u := req.URL; u.Scheme != m.address.Scheme || u.Host != m.address.Host || u.Path != m.address.Path {
		// The process's environment isn't the one that was handed in.
		return nil, &guard.Error{Host: m.address.Host, Why: "was to be left for another host, which is refused", Hint: guard.CodeStranger}
	}
	if m.id.Endpoint == identity.IMDS && !m.probed {
		if err := m.probe(req.Context()); err != nil {
			return nil, err
		}
		m.probed = true
	}
	var body []byte
	if req.Body != nil {
		defer req.Body.Close()
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, guard.Explain(m.address.Host, err)
		}
	}
	return m.repeat(req, body)
}

// once sends the request. Its answer is either one that MSAL is to see, read to
// its end, or an error.
func (m *messenger) once(req *http.Request, body []byte) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Body = nil
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	m.log.Debug("request", "method", req.Method, "host", m.address.Host, "path", m.address.Path)
	resp, err := m.http.Do(req)
	if err != nil {
		return nil, m.explain(resp, err)
	}
	defer resp.Body.Close()
	m.log.Debug("answer", "host", m.address.Host, "status", resp.StatusCode, "correlation", guard.Correlation(resp.Header))
	answer, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxAnswer))
	if err != nil {
		return nil, m.explain(nil, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	if m.isChallenge(req, resp) {
		return resp, nil // MSAL's to meet
	}
	return resp, m.check(resp, answer)
}

// explain knows the one thing about errors of net/http that guard doesn't: a
// client that refuses redirects by an error, as MSAL's for Service Fabric does,
// gives out the answer with it.
func (m *messenger) explain(resp *http.Response, err error) error {
	if resp != nil {
		return m.check(resp, nil)
	}
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	failure := guard.Explain(m.address.Host, err)
	m.log.Debug("no answer", "host", failure.Host, "why", failure.Why)
	return failure
}

// check accepts a 200 that is JSON and has a token, and nothing else: MSAL would
// take an answer without one for a success.
func (m *messenger) check(resp *http.Response, answer []byte) error {
	host := m.address.Host
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return &guard.Error{Host: host, Why: "answered with a redirect, which is not followed", Hint: guard.CodeRedirect}
	case resp.StatusCode != http.StatusOK:
		return newError(m.id, resp, answer)
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/json" || json.Unmarshal(answer, &token) != nil || token.AccessToken == "" {
		return &guard.Error{Host: host, Why: "answered with something else than JSON that holds a token", Hint: guard.CodeNotJSON}
	}
	return nil
}
