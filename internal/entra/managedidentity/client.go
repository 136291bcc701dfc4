package managedidentity

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

const (
	// maxAnswer limits what is read of an answer. Tokens of computers have few claims,
	// and about two kilobytes.
	maxAnswer = 64 << 10
	// dialTimeout limits one connection: endpoints are on the same host.
	dialTimeout = time.Second

	// firstPause and lastPause are the pauses before the first retry and the longest;
	// each is twice the one before. Microsoft Learn ("Retry guidance" for managed
	// identities) begins with 2 s and says that an update of IMDS takes up to 70 s; a
	// user who waits for an image wants to know sooner.
	firstPause = 400 * time.Millisecond
	lastPause  = 4 * time.Second
	// minAttempt is the time that must be left for one more attempt.
	minAttempt = time.Second

	// probeTimeout is how long IMDS has to answer. It is on the same host as the virtual
	// machine and answers within milliseconds; outside Azure nothing does, and the user
	// waits. (azidentity uses the same second.)
	probeTimeout = time.Second
	// absentFor is how long a failed IMDS probe is remembered. IMDS never appears later
	// on a host without one; only a VM whose network was still starting waits in vain.
	absentFor = 5 * time.Minute
)

// An endpointClient is the HTTP client that MSAL gets for one AccessToken. It sends
// requests to one address, checks every answer before MSAL sees it, and retries what may
// pass in a moment.
type endpointClient struct {
	Client
	id      identity.Identity
	address *url.URL
	http    *http.Client

	keyPath    string // the file that Azure Arc's challenge named
	challenged bool   // the last request answered the challenge
}

// do sends one request, and reads its response in time. A redirect is a response, which
// check refuses. MSAL's pinning changes c.http, so the limits come around it here.
func (c *endpointClient) do(req *http.Request) (*http.Response, error) {
	bounded := *c.http
	bounded.Transport = httpguard.Bounded(c.http.Transport, maxAnswer)
	return bounded.Do(req)
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// withoutProxy returns a transport like base, but without a proxy, which would see the
// endpoint's secret and can't reach the endpoint: Go sends even 169.254.169.254 through
// HTTP_PROXY.
func withoutProxy(base http.RoundTripper) http.RoundTripper {
	t, ok := base.(*http.Transport)
	if !ok {
		return base
	}
	t = t.Clone()
	t.Proxy = nil
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			err = &net.OpError{Op: "dial", Net: network, Err: err}
		}
		return conn, err
	}
	return t
}

// CloseIdleConnections completes MSAL's interface of a client.
func (c *endpointClient) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Do sends one of MSAL's requests until its answer is final, or too little time is left.
func (c *endpointClient) Do(req *http.Request) (*http.Response, error) {
	if u := req.URL; u.Scheme != c.address.Scheme || u.Host != c.address.Host || u.Path != c.address.Path {
		return nil, httpguard.RefuseHost(c.address.Host) // the process's environment differs from the one handed in
	}
	if c.id.Endpoint == identity.IMDS && c.id.Detected { // one that was selected must be there
		if err := c.probe(req.Context()); err != nil {
			return nil, err
		}
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body) // MSAL has it in memory
	}
	deadline, _ := req.Context().Deadline() // AccessToken sets one
	pause := firstPause
	for {
		resp, err := c.send(req.Clone(req.Context()), body)
		if err == nil {
			return resp, nil
		}
		wait := fault.RetryAfter(err)
		if wait == 0 {
			wait, pause = pause, min(2*pause, lastPause)
		}
		if !shouldRetry(err) || time.Until(deadline) < wait+minAttempt || httpguard.Sleep(req.Context(), wait) != nil {
			return nil, err
		}
	}
}

// send sends the request once. Its answer is either one that MSAL may see, read to its
// end, or an error.
func (c *endpointClient) send(req *http.Request, body []byte) (*http.Response, error) {
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	c.Log.Debug("request", "method", req.Method, "host", c.address.Host, "path", c.address.Path)
	resp, err := c.do(req)
	if err != nil && resp != nil { // MSAL's client for Service Fabric returns a redirect with an error
		return nil, c.check(resp, nil)
	}
	if err != nil {
		return nil, c.explain(req.Context(), err)
	}
	defer resp.Body.Close()
	c.Log.Debug("response", "host", c.address.Host, "status", resp.StatusCode,
		"correlation-id", httpguard.CorrelationID(resp.Header))
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, c.explain(req.Context(), err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(secondsFor(answer)))
	if c.isChallenge(req, resp) {
		return resp, nil // which MSAL answers
	}
	return resp, c.check(resp, answer)
}

// absent is the error where nothing is at the address of IMDS.
func (c *endpointClient) absent() error {
	absent := fail(c.id.Endpoint, fault.IMDSAbsent, "does not exist: "+c.address.Host+" does not respond")
	absent.RetryAfter = absentFor
	return absent
}

func (c *endpointClient) explain(ctx context.Context, err error) error {
	dial, ok := errors.AsType[*net.OpError](err)
	// A caller that gives up proves nothing.
	if ok && dial.Op == "dial" && c.id.Endpoint == identity.IMDS && ctx.Err() == nil {
		return c.absent()
	}
	failed := httpguard.Explain(c.address.Host, err)
	c.Log.Debug("request failed", "host", failed.Subject, "error", failed.Reason)
	return failed
}

// check accepts a 200 that is JSON and has a token, and nothing else: MSAL would take an
// answer without a token for a success.
func (c *endpointClient) check(resp *http.Response, answer []byte) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return &fault.Error{Code: fault.Redirect, Subject: c.address.Host}
	}
	if resp.StatusCode != http.StatusOK {
		if c.id.Endpoint == identity.IMDS && isDockerDesktop(resp, answer) {
			return c.absent()
		}
		return refusal(c.id, resp, answer)
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if !httpguard.IsJSON(resp.Header) || json.Unmarshal(answer, &token) != nil || token.AccessToken == "" {
		return &fault.Error{Code: fault.NotJSON, Subject: c.address.Host, Reason: "returned no token"}
	}
	return nil
}

// shouldRetry reports whether a request may succeed in a moment: after throttling without
// a long Retry-After, a temporary failure, or a connection that broke.
func shouldRetry(err error) bool {
	return fault.RetryAfter(err) <= httpguard.MaxRetryAfter &&
		fault.Is(err, fault.EndpointUnavailable, fault.EndpointThrottled, fault.Broken)
}

// probe finds out whether there is an IMDS at all. Without the header Metadata IMDS
// refuses every request, so any answer proves it, except that of Docker Desktop's proxy,
// which answers for every address: 403, and a text that says that the network is
// unreachable. (azidentity, probeIMDS.)
func (c *endpointClient) probe(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c.Log.Debug("probe", "host", c.address.Host)
	resp, err := c.do((&http.Request{URL: c.address}).WithContext(short))
	if err != nil && ctx.Err() != nil {
		return httpguard.Explain(c.address.Host, ctx.Err())
	}
	if err != nil {
		return c.absent()
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); isDockerDesktop(resp, text) {
		return c.absent()
	}
	return nil
}

// isDockerDesktop recognizes the proxy of Docker Desktop, which responds for every address.
// (azidentity, probeIMDS.)
func isDockerDesktop(resp *http.Response, text []byte) bool {
	return resp.StatusCode == http.StatusForbidden && bytes.Contains(text, []byte("unreachable"))
}

// ConfigureClient lets MSAL pin Service Fabric's self-signed certificate, which it does
// with a standard transport only. It implements msal.ClientConfigurer; MSAL calls it for
// Service Fabric alone.
func (c *endpointClient) ConfigureClient(configure func(*http.Client) (*http.Client, error)) error {
	pinned, err := configure(c.http)
	if err != nil {
		return fail(identity.ServiceFabric, fault.ServiceFabricTransport, "can't be verified through this transport")
	}
	c.http = pinned
	t, ok := pinned.Transport.(*http.Transport)
	if !ok || t.TLSClientConfig == nil || t.TLSClientConfig.VerifyConnection == nil {
		return nil // a later MSAL may verify in another way, and its error then has no code
	}
	verify := t.TLSClientConfig.VerifyConnection // still decides; only its error changes
	t.TLSClientConfig.VerifyConnection = func(state tls.ConnectionState) error {
		if verify(state) != nil {
			return fail(identity.ServiceFabric, fault.ServiceFabricPin,
				"has another certificate than the one of IDENTITY_SERVER_THUMBPRINT")
		}
		return nil
	}
	return nil
}
