// Package authority speaks to an authority of Microsoft Entra on MSAL's behalf: to that
// host and no other, with refusals turned into errors that quote nothing.
package authority

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// maxAnswer limits what is read of an answer; tokens of users in many groups reach tens
// of kilobytes.
const maxAnswer = 1 << 20

// A Client is the HTTP client that MSAL gets for one sign-in: every answer but 200
// becomes an error before MSAL sees it.
type Client struct {
	// HasSent says that MSAL has sent a request, which tells Entra's refusals from a
	// cache that can't be used.
	HasSent bool

	guard *httpguard.Client
	cloud registry.Cloud
}

// NewClient returns a client for a cloud's authority, whose requests go out through base.
func NewClient(base http.RoundTripper, cloud registry.Cloud, log *slog.Logger) *Client {
	return &Client{guard: httpguard.New(base, cloud.Authority, maxAnswer, log), cloud: cloud}
}

// openIDPath ends the path of an authority's OpenID document.
const openIDPath = "/v2.0/.well-known/openid-configuration"

// openIDDocument returns the document that MSAL asks for, where what it says is known; nil
// elsewhere. (Microsoft Learn, "OpenID Connect on the Microsoft identity platform".)
func (c *Client) openIDDocument(req *http.Request) []byte {
	tenant, isDocument := strings.CutSuffix(req.URL.EscapedPath(), openIDPath)
	if !isDocument || req.Method != http.MethodGet || req.URL.Host != c.cloud.Authority || !c.cloud.HasKnownEndpoints() {
		return nil
	}
	base := "https://" + c.cloud.Authority + tenant
	document, _ := json.Marshal(map[string]string{ // strings can be encoded
		"issuer":                 base + "/v2.0",
		"authorization_endpoint": base + "/oauth2/v2.0/authorize",
		"token_endpoint":         base + "/oauth2/v2.0/token",
	})
	return document
}

// Do sends one of MSAL's requests. The cause of a refusal is a Refusal.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if document := c.openIDDocument(req); document != nil {
		return &http.Response{StatusCode: http.StatusOK, Request: req, Body: io.NopCloser(bytes.NewReader(document))}, nil
	}
	c.HasSent = true
	resp, body, err := c.guard.Send(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, parseRefusal(resp, body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// CloseIdleConnections completes MSAL's interface of a client. The connections are not
// this client's own.
func (c *Client) CloseIdleConnections() {}

// Explain finds the one sentence for an MSAL error, whose own text quotes whole answers.
func Explain(ctx context.Context, host string, err error) error {
	if failed, ok := errors.AsType[*fault.Error](err); ok {
		return failed
	}
	if ctx.Err() != nil {
		return httpguard.Explain(host, ctx.Err())
	}
	return &fault.Error{Code: fault.NotJSON, Subject: host, Reason: "returned an invalid response"}
}

// A Refusal is what Microsoft Entra says when it refuses, first-hand or as a developer
// tool or browser reports it. Its description is left out. As the cause of an error it
// tells callers more than the code. (RFC 6749 §5.2; Microsoft Learn, "Microsoft Entra
// authentication and authorization error codes".)
type Refusal struct {
	// OAuth is the error of RFC 6749, such as invalid_client; "" for unknown.
	OAuth string
	// AADSTS is Microsoft's own number; 0 for none.
	AADSTS int
	// Status is that of HTTP; 0 for unknown.
	Status int
	// Claims is the claims challenge of Conditional Access, to be sent as it is with the
	// next sign-in; "" for none.
	Claims string
}

func (r Refusal) Error() string { return "Microsoft Entra ID refused the sign-in: " + r.OAuth }

// Fault returns the error that has r as its cause. OAuth may be anything that a browser
// sent, and is dropped unless it has the form of such an error.
func (r Refusal) Fault() *fault.Error {
	if !regexp.MustCompile(`^[a-z_]{1,40}$`).MatchString(r.OAuth) {
		r.OAuth = ""
	}
	e := &fault.Error{Code: fault.EntraOther, Status: r.Status, Cause: r}
	switch {
	case r.AADSTS != 0: // which says more than the status
		e.Code = fault.AADSTS(r.AADSTS)
	case r.Status == http.StatusTooManyRequests:
		e.Code = fault.EntraThrottled
	case r.Status >= http.StatusInternalServerError:
		e.Code = fault.EntraUnavailable
	}
	if r.OAuth != "" && (e.Code == fault.EntraOther || !e.Code.IsKnown()) {
		e.Reason = r.Error()
	}
	return e
}

// parseRefusal reads an answer. Only parts of a known form are used.
func parseRefusal(resp *http.Response, body []byte) *fault.Error {
	var answer struct {
		Error       string `json:"error"`
		Codes       []int  `json:"error_codes"`
		Description string `json:"error_description"`
		Correlation string `json:"correlation_id"`
		Claims      string `json:"claims"`
	}
	_ = json.Unmarshal(body, &answer) // a gateway's page says nothing
	r := Refusal{OAuth: answer.Error, AADSTS: FindAADSTS(answer.Description), Status: resp.StatusCode}
	if len(answer.Codes) > 0 {
		r.AADSTS = answer.Codes[0]
	}
	if json.Valid([]byte(answer.Claims)) {
		r.Claims = answer.Claims
	}
	e := r.Fault()
	e.RetryAfter = httpguard.RetryAfter(resp)
	if regexp.MustCompile(`^[0-9A-Fa-f-]{8,36}$`).MatchString(answer.Correlation) {
		e.CorrelationID = answer.Correlation
	}
	return e
}

// FindAADSTS finds Microsoft's number in a description; 0 for none.
func FindAADSTS(text string) int {
	found := regexp.MustCompile(`AADSTS(\d{4,9})`).FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	number, _ := strconv.Atoi(found[1])
	return number
}
