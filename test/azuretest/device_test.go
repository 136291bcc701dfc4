package azuretest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDeviceCodes(t *testing.T) {
	w := newWorld(t)
	ada := w.tenant.AddUser("ada@contoso.example")
	begin := func() answer {
		return w.post("https://"+DefaultAuthority+"/common/oauth2/v2.0/devicecode", form("client_id", azureCLI, "scope", userScopes))
	}
	poll := func(a answer, grant string) string {
		b := w.tokens("common", form("grant_type", grant, "client_id", azureCLI, "device_code", a.field("device_code")))
		if b.StatusCode == 200 {
			return "tokens"
		}
		return b.field("error")
	}
	const short, long = "device_code", "urn:ietf:params:oauth:grant-type:device_code"
	a := begin()
	if a.field("verification_uri") != "https://login.microsoft.com/device" || !strings.Contains(string(a.body), `"expires_in":900,"interval":5,`) ||
		w.FindCanary(a.field("device_code")) == "" || w.FindCanary(a.field("user_code")) != "" || w.DeviceCodes()[0] != a.field("user_code") {
		t.Errorf("%s", a.body)
	}
	steps := []struct {
		wait time.Duration
		want string
	}{{0, "authorization_pending"}, {2 * time.Second, "slow_down"}, {6 * time.Second, "slow_down"}, {15 * time.Second, "authorization_pending"}}
	for _, step := range steps {
		w.AdvanceClock(step.wait)
		if got := poll(a, long); got != step.want {
			t.Errorf("after %v: %s", step.wait, got)
		}
	}
	page := w.post("https://login.microsoft.com/device", form("otc", a.field("user_code")))
	if !strings.Contains(string(page.body), "Sign in as "+ada.UPN()) {
		t.Errorf("%s", page.body)
	}
	w.post("https://login.microsoft.com/device", form("otc", a.field("user_code"), "user", ada.UPN(), "does", "sign-in"))
	w.AdvanceClock(15 * time.Second)
	if got := []string{poll(a, short), poll(a, short)}; got[0] != "tokens" || got[1] != "bad_verification_code" {
		t.Error(got)
	}
	b := begin()
	w.Person(ada, Declines)
	w.post("https://login.microsoft.com/device", form("otc", b.field("user_code")))
	if got := poll(b, short); got != "authorization_declined" {
		t.Error(got)
	}
	late := begin()
	w.AdvanceClock(deviceLife)
	if got := poll(late, short); got != "expired_token" || w.EnterCode(late.field("user_code"), ada, SignsIn) == nil {
		t.Error(got)
	}
	if w.Seen(KindDeviceCode) != 3 {
		t.Error(w.Seen(KindDeviceCode))
	}
}

func TestControlPeople(t *testing.T) {
	w := newWorld(t)
	ada := w.tenant.AddUser("ada@contoso.example")
	base, err := w.StartControl()
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, path string) int {
		req, _ := http.NewRequest(method, base+path, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	code := w.newDevice(azureCLI, "", nil)
	for path, want := range map[string]int{
		"/person?user=ada@contoso.example": 200, "/person?user=nobody": 404, "/person?user=ada@contoso.example&does=dance": 400,
		"/sessions?user=ada@contoso.example&do=revoke": 200, "/sessions?user=ada@contoso.example&do=x": 400, "/sessions?do=expire": 404,
		"/policy?tenant=contoso.onmicrosoft.com&do=block": 200, "/policy?tenant=x&do=block": 404,
		"/device?code=" + code.userCode + "&user=ada@contoso.example": 200, "/device?code=nothing&user=ada@contoso.example": 409,
	} {
		if got := do("POST", path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
	if do("GET", "/device") != 200 || code.done != SignsIn || code.signIn.user != ada || w.tenant.policy.blocked != 53003 {
		t.Error("nothing was done")
	}
	if u, _ := w.sitting(); u != ada {
		t.Error("nobody sits there")
	}
}
