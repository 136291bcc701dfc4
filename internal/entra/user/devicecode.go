package user

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A DeviceCode is what the user is shown.
type DeviceCode struct {
	// UserCode is to be typed at URL, on any computer.
	UserCode, URL string
	// Expires is when the code ends.
	Expires time.Time
}

// DeviceCode signs a user in with a browser on another computer (RFC 8628). It waits
// until the user has signed in, ctx ends or the code does, usually after 15 minutes.
func (c Client) DeviceCode(ctx context.Context, r Request, show func(DeviceCode)) (Result, error) {
	s := &state{}
	poller := &poller{Client: authority.NewClient(c.Transport, r.Cloud, c.Log), sleep: c.Sleep}
	app, err := application(r.ClientID, r.Tenant, r.Cloud, public.WithHTTPClient(poller), s)
	if err != nil {
		return Result{}, err
	}
	flow, err := app.AcquireTokenByDeviceCode(ctx, []string{scope(r.Audience)}, public.WithClaims(r.Claims))
	if err != nil {
		return Result{}, authority.Explain(ctx, r.Cloud.Authority, err)
	}
	code := DeviceCode{flow.Result.UserCode, flow.Result.VerificationURL, flow.Result.ExpiresOn}
	if !code.isShowable(r.Cloud) {
		return Result{}, &fault.Error{
			Code: fault.NotJSON, Subject: r.Cloud.Authority, Reason: "returned a device code that can't be shown",
		}
	}
	show(code)
	poller.start(flow.Result.Interval)
	result, err := flow.AuthenticationResult(ctx)
	if err != nil {
		return Result{}, explainDeviceCode(ctx, r.Cloud.Authority, err)
	}
	return c.finish(r.Cloud, s, result)
}

// isShowable reports whether a code and its address are fit for a terminal: the address is
// Microsoft's, or in the domain of the cloud's authority. Another one would ask the user
// for a password in Microsoft's name.
func (d DeviceCode) isShowable(cloud registry.Cloud) bool {
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "https" || u.User != nil || len(d.URL) > 200 || !text.IsVisible(d.URL) {
		return false
	}
	_, domain, _ := strings.Cut(cloud.Authority, ".")
	isKnown := slices.Contains([]string{"microsoft.com", "www.microsoft.com", "login.microsoft.com", "aka.ms"}, u.Host) ||
		cloud.HasAuthority(u.Host) || strings.HasSuffix(u.Host, "."+domain)
	return isKnown && regexp.MustCompile(`^[A-Za-z0-9-]{4,40}$`).MatchString(d.UserCode)
}

// explainDeviceCode knows the errors of RFC 8628 §3.5, and Entra's names for two of them.
func explainDeviceCode(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	refused, _ := errors.AsType[authority.Refusal](err)
	switch refused.OAuth {
	case "authorization_declined", "access_denied":
		return &fault.Error{Code: fault.SignInDeclined}
	case "expired_token", "code_expired":
		return &fault.Error{Code: fault.SignInTimeout}
	case "bad_verification_code":
		return &fault.Error{Code: fault.SignInDeviceCode}
	}
	if errors.Is(err, context.DeadlineExceeded) { // the code has ended, as MSAL knows
		return &fault.Error{Code: fault.SignInTimeout}
	}
	return authority.Explain(ctx, host, err)
}

const (
	// defaultInterval is RFC 8628's, where the server doesn't say.
	defaultInterval = 5 * time.Second
	// slowDown is what RFC 8628 §3.5 adds to the interval at each slow_down.
	slowDown = 5 * time.Second
)

// A poller polls instead of MSAL, which neither keeps to the server's interval nor slows
// down: of MSAL's one request it makes as many as are needed, and MSAL sees the last
// answer.
type poller struct {
	*authority.Client
	sleep    func(context.Context, time.Duration) error
	interval time.Duration // 0 until polling starts
}

func (p *poller) start(seconds int) {
	p.interval = defaultInterval
	if 0 < seconds && seconds <= 60 {
		p.interval = time.Duration(seconds) * time.Second
	}
}

// Do sends one of MSAL's requests; a poll is repeated until its answer is final.
func (p *poller) Do(req *http.Request) (*http.Response, error) {
	if p.interval == 0 || req.GetBody == nil {
		return p.Client.Do(req)
	}
	for {
		if err := p.sleep(req.Context(), p.interval); err != nil {
			return nil, err
		}
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req.Body = body
		resp, err := p.Client.Do(req)
		refused, _ := errors.AsType[authority.Refusal](err)
		switch {
		case err == nil:
			return resp, nil
		case refused.OAuth == "authorization_pending":
		case mustSlowDown(err, refused):
			p.interval += slowDown
		default:
			return nil, err
		}
	}
}

// mustSlowDown reports whether a poll failed in a way after which to poll more slowly.
// RFC 8628 §3.5 also demands that for a connection that fails: the user may still be
// typing.
func mustSlowDown(err error, refused authority.Refusal) bool {
	return refused.OAuth == "slow_down" ||
		refused.Status == http.StatusTooManyRequests || refused.Status >= http.StatusInternalServerError ||
		fault.Is(err, fault.Timeout, fault.Broken, fault.Unreachable, fault.DNS, fault.Proxy)
}
