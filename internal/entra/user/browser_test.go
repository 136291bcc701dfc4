package user

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// A deadline is a context whose deadline is when it is closed.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.passed }

func (d deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestClient_Browser(t *testing.T) {
	f := newFixture(t)
	f.mutate("POST", func(answer string) string {
		if len(f.pages) > 0 {
			t.Error("the page came before the tokens")
		}
		return answer
	})
	var start, shown string
	result, err := f.client.Browser(t.Context(), f.request(), func(address string) {
		start, shown = address, signInPage(t, address)
		f.open(f.ada)(shown)
	})
	if err != nil || result.User != f.ada.UPN() || result.Tenant != f.tenant.ID() || !f.isAccepted(result.Access) {
		t.Fatalf("%+v, %v", result, err)
	}
	if page := <-f.pages; !strings.Contains(page, "You are signed in.") {
		t.Errorf("the page says %s", page)
	}
	// The address that other programs get as an argument has nothing of the sign-in.
	if !regexp.MustCompile(`^http://localhost:\d+/[A-Z2-7]{26}$`).MatchString(start) || strings.Contains(shown, start[len(start)-26:]) {
		t.Errorf("%s leads to %s", start, shown)
	}
	query := must(url.Parse(shown)).Query()
	for name, want := range map[string]string{
		"client_id": "^" + azureCLI + "$", "response_type": "^code$", "response_mode": "^form_post$",
		"prompt": "^select_account$", "redirect_uri": `^http://localhost:\d+$`, "state": "^[A-Z2-7]{26}$",
		"code_challenge": "^[A-Za-z0-9_-]{43}$", "code_challenge_method": "^S256$", "login_hint": "^$", "claims": "^$",
		"scope": `^https://containerregistry\.azure\.net/\.default openid profile offline_access$`,
	} {
		if !regexp.MustCompile(want).MatchString(query.Get(name)) {
			t.Errorf("%s=%s", name, query.Get(name))
		}
	}
	if len(f.cloud.ForeignHosts()) > 0 || f.cloud.Seen(azuretest.KindDiscovery) > 0 {
		t.Error("another host received a request")
	}
}

func TestClient_Browser_offers_the_account(t *testing.T) {
	f := newFixture(t)
	r := f.request()
	r.LoginHint, r.Tenant = "ada@contoso.example", "contoso.example"
	_, err := f.client.Browser(t.Context(), r, func(address string) {
		u := must(url.Parse(signInPage(t, address)))
		q := u.Query()
		if q.Get("login_hint") != r.LoginHint || q.Has("prompt") || !strings.HasPrefix(u.Path, "/contoso.example/") {
			t.Error(address)
		}
		f.open(f.ada)(u.String())
	})
	if err != nil {
		t.Error(err)
	}
}

func TestClient_Browser_refused(t *testing.T) {
	for _, row := range []struct {
		what    string
		prepare func(*fixture)
		code    fault.Code
	}{
		{"goes back", func(f *fixture) { f.cloud.SetBrowserUser(f.ada, azuretest.Cancel) }, fault.SignInDeclined},
		{"declines", func(f *fixture) { f.cloud.SetBrowserUser(f.ada, azuretest.Decline) }, fault.SignInDeclined},
		{"consent", func(f *fixture) { f.tenant.WithholdConsent(azureCLI) }, "AADSTS65001"},
		{"the token request fails", func(f *fixture) {
			f.cloud.SetBrowserUser(f.ada, azuretest.SignIn)
			f.cloud.Fault(authorityHost, "*", azuretest.Fault{
				Method: "POST", Status: 400,
				Body: `{"error":"invalid_grant","error_codes":[70008],"error_description":"<b>"}`,
			})
		}, "AADSTS70008"},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			row.prepare(f)
			_, err := f.client.Browser(t.Context(), f.request(), f.open(f.ada))
			f.check(err, row.code)
			page := <-f.pages
			if !strings.Contains(page, "Sign-in failed.") ||
				strings.Contains(page, "<b>") || f.cloud.FindCanary(page) != "" {
				t.Errorf("the page says %s", page)
			}
		})
	}
}

// Another program may have written the description, so only its number is used.
func TestRefusal(t *testing.T) {
	for _, row := range []struct {
		returned url.Values
		want     fault.Code
	}{
		{url.Values{"error": {"access_denied"}}, fault.SignInDeclined},
		{url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: SECRET"}}, fault.SignInDeclined},
		{url.Values{"error": {"access_denied"}, "error_description": {"AADSTS50105: SECRET"}}, "AADSTS50105"},
		{url.Values{"error": {"server_error"}, "error_description": {"SECRET"}}, fault.EntraOther},
		{url.Values{"error": {"<SECRET>"}}, fault.EntraOther},
		{url.Values{}, fault.EntraOther},
	} {
		err := refusal(row.returned)
		if fault.CodeOf(err) != row.want || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%+v: %v, want the code %s", row.returned, err, row.want)
		}
	}
}

func TestClient_Browser_opens_no_page_of_another_host(t *testing.T) {
	f := newFixture(t)
	f.makePrivate()
	f.moveEndpoint("authorization_endpoint")
	_, err := f.client.Browser(t.Context(), f.request(), func(address string) { t.Error(address) })
	f.check(err, fault.UnexpectedHost)
}

func TestClient_Browser_ends_with_its_context(t *testing.T) {
	f := newFixture(t)
	late := deadline{t.Context(), make(chan struct{})}
	_, err := f.client.Browser(late, f.request(), func(string) { close(late.passed) })
	f.check(err, fault.SignInTimeout)

	ctx, interrupt := context.WithCancel(t.Context())
	_, err = f.client.Browser(ctx, f.request(), func(string) { interrupt() })
	f.check(err, fault.SignInInterrupted)
	if !errors.Is(err, context.Canceled) {
		t.Error("callers can't recognize an interruption")
	}
}

func TestClient_of_a_guest(t *testing.T) {
	f := newFixture(t)
	inviting, other := f.cloud.AddTenant("", "fabrikam.example"), f.cloud.AddTenant("", "tailspin.example")
	inviting.Invite(f.ada)
	r := f.request()
	r.Tenant = "fabrikam.example"
	result := f.signIn(f.ada, r)
	if result.Tenant != inviting.ID() || result.User != f.ada.UPN() || f.isAccepted(result.Access) {
		t.Errorf("%+v", result)
	}
	own := f.signIn(f.ada, f.request())
	if _, _, err := f.silent(inviting.ID(), own.State); err != nil {
		t.Error("the sign-in to the own tenant isn't valid for the inviting one:", err)
	}
	if _, _, err := f.silent("", merge(t, own.State, result.State)); err != nil {
		t.Error("the two sign-ins are not of one account:", err)
	}
	_, _, err := f.silent(other.ID(), own.State)
	f.check(err, "AADSTS50020")
}
