package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// deviceCode signs in with a device code, and calls enter before one of the polls. It returns the pauses before each.
func (f *fixture) deviceCode(
	r Request, poll int, enter func(code string),
) (pauses []time.Duration, result Result, err error) {
	f.t.Helper()
	var shown DeviceCode
	f.client.Sleep = func(ctx context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		if len(pauses) == poll {
			enter(shown.UserCode)
		}
		if len(pauses) > 500 {
			return errors.New("it polls forever")
		}
		return f.sleep(ctx, d)
	}
	result, err = f.client.DeviceCode(f.t.Context(), r, func(d DeviceCode) { shown = d })
	if err == nil && (shown.URL != "https://login.microsoft.com/device" || time.Until(shown.Expires) < 14*time.Minute) {
		f.t.Errorf("shown: %+v", shown)
	}
	return pauses, result, err
}

// enter returns a function in which Ada enters the code.
func (f *fixture) enter(does azuretest.PageAction) func(code string) {
	return func(code string) {
		if err := f.cloud.EnterCode(code, f.ada, does); err != nil {
			f.t.Error(err)
		}
	}
}

func TestClient_DeviceCode(t *testing.T) {
	const s3, s5 = 3 * time.Second, 5 * time.Second
	for _, row := range []struct {
		what    string
		prepare func(*azuretest.Cloud)
		want    []time.Duration
	}{
		{"the usual interval", func(*azuretest.Cloud) {}, []time.Duration{s5, s5, s5}},
		{"the server's interval", func(c *azuretest.Cloud) { c.PollInterval(s3) }, []time.Duration{s3, s3, s3}},
		{"no interval", func(c *azuretest.Cloud) { c.PollInterval(0) }, []time.Duration{s5, s5, s5}},
		{"slow down", func(c *azuretest.Cloud) { c.SlowDown(2) }, []time.Duration{s5, 2 * s5, 3 * s5}},
		{"a server error", func(c *azuretest.Cloud) {
			c.Fault(authorityHost, "/organizations/oauth2/v2.0/token", azuretest.Fault{Times: 1, Status: 500})
		}, []time.Duration{s5, 2 * s5, 2 * s5}},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			row.prepare(f.cloud)
			pauses, result, err := f.deviceCode(f.request(), 3, f.enter(azuretest.SignIn))
			if err != nil || !slices.Equal(pauses, row.want) {
				t.Fatalf("%v; pauses of %v, want %v", err, pauses, row.want)
			}
			if result.User != f.ada.UPN() || result.Tenant != f.tenant.ID() || !f.isAccepted(result.Access) {
				t.Errorf("%+v", result)
			}
			if _, _, err := f.silent("", result.State); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExplainDeviceCode(t *testing.T) {
	for _, row := range []struct {
		err  error
		want fault.Code
	}{
		{authority.Refusal{OAuth: "authorization_declined", Status: 400}.Fault(), fault.SignInDeclined},
		{authority.Refusal{OAuth: "access_denied", Status: 400}.Fault(), fault.SignInDeclined},
		{authority.Refusal{OAuth: "expired_token", Status: 400}.Fault(), fault.SignInTimeout},
		{authority.Refusal{OAuth: "code_expired", Status: 400}.Fault(), fault.SignInTimeout},
		{authority.Refusal{OAuth: "bad_verification_code", Status: 400}.Fault(), fault.SignInDeviceCode},
		{authority.Refusal{OAuth: "invalid_grant", AADSTS: 50076, Status: 400}.Fault(), "AADSTS50076"},
		{fmt.Errorf("MSAL: %w", context.DeadlineExceeded), fault.SignInTimeout},
		{errors.New("MSAL"), fault.NotJSON},
	} {
		if err := explainDeviceCode(t.Context(), authorityHost, row.err); fault.CodeOf(err) != row.want {
			t.Errorf("%v: %v, want the code %s", row.err, err, row.want)
		}
	}
}

func TestPoller_start(t *testing.T) {
	for seconds, want := range map[int]time.Duration{
		-1: defaultInterval, 0: defaultInterval, 1: time.Second, 60: time.Minute, 61: defaultInterval,
	} {
		var p poller
		if p.start(seconds); p.interval != want {
			t.Errorf("%d s: %v, want %v", seconds, p.interval, want)
		}
	}
}

func TestMustSlowDown(t *testing.T) {
	for _, row := range []struct {
		err  error
		want bool
	}{
		{authority.Refusal{OAuth: "slow_down", Status: 400}.Fault(), true},
		{authority.Refusal{Status: 429}.Fault(), true},
		{authority.Refusal{OAuth: "server_error", AADSTS: 90033, Status: 503}.Fault(), true},
		{authority.Refusal{OAuth: "expired_token", Status: 400}.Fault(), false},
		{&fault.Error{Code: fault.Timeout}, true},
		{&fault.Error{Code: fault.Broken}, true},
		{&fault.Error{Code: fault.Unreachable}, true},
		{&fault.Error{Code: fault.DNS}, true},
		{&fault.Error{Code: fault.Proxy}, true},
		{&fault.Error{Code: fault.TLS}, false},
		{&fault.Error{Code: fault.Redirect}, false},
		{&fault.Error{Code: fault.NotJSON}, false},
		{context.Canceled, false},
	} {
		refused, _ := errors.AsType[authority.Refusal](row.err)
		if mustSlowDown(row.err, refused) != row.want {
			t.Errorf("%v: %v", row.err, !row.want)
		}
	}
}

func TestClient_DeviceCode_refused(t *testing.T) {
	nothing := func(string) {}
	for _, row := range []struct {
		what  string
		enter func(*fixture) func(code string)
		code  fault.Code
	}{
		{"declined", func(f *fixture) func(string) { return f.enter(azuretest.Decline) }, fault.SignInDeclined},
		{"never entered", func(*fixture) func(string) { return nothing }, fault.SignInTimeout},
		{"a code with control characters", func(f *fixture) func(string) {
			f.mutate("POST", func(string) string {
				return `{"user_code":"\u001b[2J","device_code":"x",` +
					`"verification_uri":"https://login.microsoft.com/device","expires_in":900}`
			})
			return nothing
		}, fault.NotJSON},
		{"a redirect", func(f *fixture) func(string) {
			return func(string) {
				f.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Redirect: "https://evil.example/"})
			}
		}, fault.Redirect},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			_, _, err := f.deviceCode(f.request(), 2, row.enter(f))
			f.check(err, row.code)
		})
	}
}

func TestClient_DeviceCode_ends_with_its_context(t *testing.T) {
	f := newFixture(t)
	f.client.Sleep = httpguard.Sleep
	ctx, interrupt := context.WithCancel(t.Context())
	start := time.Now()
	_, err := f.client.DeviceCode(ctx, f.request(), func(DeviceCode) {
		time.AfterFunc(50*time.Millisecond, interrupt)
	})
	f.check(err, fault.SignInInterrupted)
	if time.Since(start) > 3*time.Second {
		t.Error("it slept to the end of the interval")
	}
}
