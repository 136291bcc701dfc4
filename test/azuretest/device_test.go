package azuretest

import (
	"strings"
	"testing"
	"time"
)

func TestDeviceCode(t *testing.T) {
	f := newFixture(t)
	ada := f.tenant.AddUser("ada@contoso.example")
	start := func() response {
		return f.post("https://"+DefaultAuthority+"/common/oauth2/v2.0/devicecode",
			form("client_id", azureCLI, "scope", userScopes))
	}
	// poll returns the error, or "tokens".
	poll := func(a response, grant string) string {
		b := f.tokens("common", form("grant_type", grant, "client_id", azureCLI, "device_code", a.field("device_code")))
		if b.StatusCode == 200 {
			return "tokens"
		}
		return b.field("error")
	}
	const short, long = "device_code", "urn:ietf:params:oauth:grant-type:device_code"
	const page = "https://login.microsoft.com/device"
	a := start()
	code := a.field("user_code")
	if a.field("verification_uri") != page || !strings.Contains(a.body, `"expires_in":900,"interval":5,`) ||
		f.FindCanary(a.field("device_code")) == "" || f.FindCanary(code) != "" || f.DeviceCodes()[0] != code {
		t.Errorf("%s", a.body)
	}
	for _, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, "authorization_pending"},
		{2 * time.Second, "slow_down"},
		{6 * time.Second, "slow_down"},
		{15 * time.Second, "authorization_pending"},
	} {
		f.AdvanceClock(step.wait)
		if got := poll(a, long); got != step.want {
			t.Errorf("after %v: %s", step.wait, got)
		}
	}
	if err := f.EnterCode(code, ada, SignIn); err != nil {
		t.Error(err)
	}
	f.AdvanceClock(15 * time.Second)
	if first, second := poll(a, short), poll(a, short); first != "tokens" || second != "bad_verification_code" {
		t.Errorf("%s, then %s", first, second)
	}
	declined := start()
	err := f.EnterCode(declined.field("user_code"), ada, Decline)
	if got := poll(declined, short); err != nil || got != "authorization_declined" {
		t.Error(err, got)
	}
	late := start()
	f.AdvanceClock(deviceCodeLifetime)
	if got := poll(late, short); got != "expired_token" || f.EnterCode(late.field("user_code"), ada, SignIn) == nil {
		t.Error(got)
	}
	if f.Seen(KindDeviceCode) != 3 {
		t.Error(f.Seen(KindDeviceCode))
	}
}
