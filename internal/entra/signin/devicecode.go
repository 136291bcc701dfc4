package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

// A DeviceCode is what the person is shown.
type DeviceCode struct {
	// UserCode is to be typed at URL, on any machine.
	UserCode, URL string
	// Expires is when that is no longer of use.
	Expires time.Time
}

// DeviceCode signs a person in by a browser on another machine (RFC 8628). It
// waits until they are done, ctx ends or the code does, after 15 minutes as a rule.
func (c Client) DeviceCode(ctx context.Context, r Request, show func(DeviceCode)) (Result, error) {
	kept, polling := &memory{}, &poller{
		Client: authority.NewClient(c.Transport, r.Cloud.Authority, c.Log), sleep: c.Sleep,
	}
	app, err := application(r.ClientID, r.Tenant, r.Cloud, polling, kept)
	if err != nil {
		return Result{}, err
	}
	var options []public.AcquireByDeviceCodeOption
	if r.Claims != "" {
		options = append(options, public.WithClaims(r.Claims))
	}
	begun, err := app.AcquireTokenByDeviceCode(ctx, []string{scope(r.Audience)}, options...)
	if err != nil {
		return Result{}, authority.Translate(ctx, r.Cloud.Authority, err)
	}
	code := DeviceCode{begun.Result.UserCode, begun.Result.VerificationURL, begun.Result.ExpiresOn}
	if !code.showable() {
		return Result{}, &guard.Error{Host: r.Cloud.Authority, Why: "answered with a device code that can't be shown", Hint: guard.CodeNotJSON}
	}
	show(code)
	polling.begin(begun.Result.Interval)
	result, err := begun.AuthenticationResult(ctx)
	if err != nil {
		return Result{}, deviceError(ctx, r.Cloud.Authority, err)
	}
	return c.finish(ctx, r.Cloud, kept, result, nil)
}

// showable keeps surprises out of a terminal.
func (d DeviceCode) showable() bool {
	u, err := url.Parse(d.URL)
	return err == nil && u.Scheme == "https" && u.User == nil && regexp.MustCompile(`^[!-~]{10,200}$`).MatchString(d.URL) &&
		regexp.MustCompile(`^[A-Za-z0-9-]{4,40}$`).MatchString(d.UserCode)
}

// deviceError gives the errors of RFC 8628 §3.5 their own sentences, under
// Entra's names for two of them.
func deviceError(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	var refused *authority.Error
	if errors.As(err, &refused) {
		switch refused.OAuth {
		case "authorization_declined", "access_denied":
			return &Error{Hint: CodeDenied}
		case "expired_token", "code_expired":
			return &Error{Hint: CodeTimeout}
		case "bad_verification_code":
			return &Error{Hint: CodeCode}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Hint: CodeTimeout} // the code's end, which MSAL keeps to
	}
	return authority.Translate(ctx, host, err)
}

const (
	// defaultInterval is RFC 8628's, where the server doesn't say.
	defaultInterval = 5 * time.Second
	// slower is what RFC 8628 §3.5 adds at each slow_down.
	slower = 5 * time.Second
)

// A poller polls in MSAL's place, which neither keeps to the server's interval nor
// slows down: of MSAL's one request it makes as many as it takes, and MSAL sees
// the last answer.
type poller struct {
	*authority.Client
	sleep    func(context.Context, time.Duration) error
	interval time.Duration // 0 until polling begins
}

func (p *poller) begin(seconds int) {
	p.interval = defaultInterval
	if 0 < seconds && seconds <= 60 {
		p.interval = time.Duration(seconds) * time.Second
	}
	if p.sleep == nil {
		p.sleep = sleep
	}
}

// Do sends a request of MSAL's; a poll, until it is answered for good.
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
		var refused *authority.Error
		switch {
		case err == nil:
			return resp, nil
		case errors.As(err, &refused) && refused.OAuth == "authorization_pending":
		case passing(err):
			p.interval += slower
		default:
			return nil, err
		}
	}
}

// passing says whether a poll's failure is to be met by slowing down, as RFC 8628
// §3.5 has it for a connection that fails, too: the person may be typing still.
func passing(err error) bool {
	var refused *authority.Error
	if errors.As(err, &refused) {
		return refused.OAuth == "slow_down" || refused.Status == http.StatusTooManyRequests || refused.Status >= 500
	}
	var failed *guard.Error
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.Hint {
	case guard.CodeTimeout, guard.CodeBroken, guard.CodeUnreachable, guard.CodeDNS, guard.CodeProxy:
		return true
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
