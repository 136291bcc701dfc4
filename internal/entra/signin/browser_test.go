package signin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// merged is a memory of two people, which no sign-in makes.
func merged(t *testing.T, memories ...secret.String) secret.String {
	t.Helper()
	all := map[string]map[string]any{}
	for _, m := range memories {
		var one struct{ Cache map[string]map[string]any }
		if err := json.Unmarshal([]byte(m.Reveal()), &one); err != nil {
			t.Fatal(err)
		}
		for kind, entries := range one.Cache {
			if all[kind] == nil {
				all[kind] = map[string]any{}
			}
			maps.Copy(all[kind], entries)
		}
	}
	content, err := json.Marshal(map[string]any{"cache": all})
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(content))
}

func TestBrowser(t *testing.T) {
	s := newStage(t)
	var shown string
	r := s.request(s.ada)
	r.Show = func(address string) { shown = address }
	result, err := s.client.Browser(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if result.User != "ada@contoso.example" || result.Tenant != s.tenant.ID() || result.HomeAccountID == "" || !s.opens(result.Access) {
		t.Errorf("%+v", result)
	}
	if page := <-s.pages; !strings.Contains(page, "You are signed in.") {
		t.Errorf("the page says %s", page)
	}
	query := mustParse(t, shown).Query()
	for name, want := range map[string]string{
		"client_id": "^" + azureCLI + "$", "response_type": "^code$", "response_mode": "^form_post$", "prompt": "^select_account$",
		"redirect_uri": `^http://localhost:\d+$`, "state": "^[A-Z2-7]{26}$", "code_challenge": "^[A-Za-z0-9_-]{43}$",
		"code_challenge_method": "^S256$", "scope": `^https://containerregistry\.azure\.net/\.default openid profile offline_access$`, "login_hint": "^$", "claims": "^$",
	} {
		if !regexp.MustCompile(want).MatchString(query.Get(name)) {
			t.Errorf("%s=%s", name, query.Get(name))
		}
	}
	if len(s.cloud.ForeignHosts()) > 0 || s.cloud.Seen(azuretest.KindDiscovery) > 0 {
		t.Error("somebody else was asked")
	}
}

func TestBrowserOffersTheAccount(t *testing.T) {
	s := newStage(t)
	r := s.request(s.ada)
	r.LoginHint, r.Tenant = "ada@contoso.example", "contoso.example"
	r.Show = func(address string) {
		u := mustParse(t, address)
		if q := u.Query(); q.Get("login_hint") != r.LoginHint || q.Has("prompt") || !strings.HasPrefix(u.Path, "/"+s.tenant.ID()+"/") {
			t.Error(address)
		}
	}
	s.signIn(r)
}

func TestBrowserRefusals(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(*stage)
		code string
	}{
		{"goes back", func(s *stage) { s.cloud.Person(s.ada, azuretest.Cancels) }, CodeDenied},
		{"declines", func(s *stage) { s.cloud.Person(s.ada, azuretest.Declines) }, CodeDenied},
		{"consent", func(s *stage) { s.tenant.WithholdConsent(azureCLI) }, "AADSTS65001"},
		{"the token request fails", func(s *stage) {
			s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Times: 0, Status: 400, Body: `{"error":"invalid_grant","error_codes":[70008],"error_description":"<b>"}`})
			s.cloud.Person(s.ada, azuretest.SignsIn)
		}, "AADSTS70008"},
		{"no names", func(s *stage) {
			s.cloud.Person(s.ada, azuretest.SignsIn)
			s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Mutate: func(b []byte) []byte {
				return regexp.MustCompile(`"id_token":"[^"]*"`).ReplaceAll(b, []byte(`"id_token":"e30.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJcdTAwMWIifQ."`))
			}})
		}, guard.CodeNotJSON},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t)
			row.do(s)
			_, err := s.client.Browser(t.Context(), s.request(s.ada))
			s.hasCode(err, row.code)
			page := <-s.pages
			if !strings.Contains(page, "You are not signed in.") || strings.Contains(page, "<b>") || s.cloud.FindCanary(page) != "" {
				t.Errorf("the page says %s", page)
			}
		})
	}
}

// TestEmptyHanded comes back with the right state and nothing else.
func TestEmptyHanded(t *testing.T) {
	s := newStage(t)
	r := s.request(nil)
	r.Open = func(address string) error {
		q := mustParse(t, address).Query()
		go s.browse(q.Get("redirect_uri")+"/?state="+q.Get("state"), nil)
		return nil
	}
	_, err := s.client.Browser(t.Context(), r)
	s.hasCode(err, authority.CodeOther)
}

func TestBrowserIsNotSentElsewhere(t *testing.T) {
	s := newStage(t)
	s.cloud.Fault(authorityHost, "*", azuretest.Fault{Mutate: func(b []byte) []byte {
		return []byte(strings.ReplaceAll(string(b), `"authorization_endpoint":"https://login`, `"authorization_endpoint":"https://evil`))
	}})
	r := s.request(s.ada)
	r.Open = func(address string) error { t.Error(address); return nil }
	r.Show = func(address string) { t.Error(address) }
	_, err := s.client.Browser(t.Context(), r)
	s.hasCode(err, guard.CodeStranger)
}

// TestBrowserWaitsItsTime: nobody comes, and the time ends or Ctrl-C does.
func TestBrowserWaitsItsTime(t *testing.T) {
	s := newStage(t)
	r := s.request(s.ada)
	r.Open = func(string) error { return errors.New("no browser here") }
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.client.Browser(ctx, r)
	s.hasCode(err, CodeTimeout)
	ctx, stop := context.WithCancel(t.Context())
	r.Open = func(string) error { stop(); return nil }
	_, err = s.client.Browser(ctx, r)
	s.hasCode(err, CodeInterrupted)
	if !errors.Is(err, context.Canceled) {
		t.Error("an interruption can't be told")
	}
}

// TestDoneIsSaidWhenItIs: the page waits for the tokens.
func TestDoneIsSaidWhenItIs(t *testing.T) {
	s := newStage(t)
	s.cloud.Person(s.ada, azuretest.SignsIn)
	s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Latency: 300 * time.Millisecond})
	begun := time.Now()
	if _, err := s.client.Browser(t.Context(), s.request(nil)); err != nil {
		t.Fatal(err)
	}
	if page := <-s.pages; !strings.Contains(page, "You are signed in.") || time.Since(begun) < 300*time.Millisecond {
		t.Error(page)
	}
}

func TestGuests(t *testing.T) {
	s := newStage(t)
	inviting, stranger := s.cloud.AddTenant("", "fabrikam.example"), s.cloud.AddTenant("", "tailspin.example")
	guest := inviting.Invite(s.ada)
	theirs := s.cloud.AddRegistry("fabrikam.azurecr.io", inviting)
	theirs.Grant(guest, azuretest.AcrPull)
	inviting.TokenLife(4 * time.Minute)
	r := s.request(s.ada)
	r.Tenant = "fabrikam.example"
	result := s.signIn(r)
	if result.Tenant != inviting.ID() || result.User != "ada@contoso.example" || s.opens(result.Access) {
		t.Errorf("%+v", result)
	}
	home := s.signIn(s.request(s.ada))
	if home.HomeAccountID != result.HomeAccountID {
		t.Error("at home and abroad are two accounts")
	}
	if _, _, err := s.silent(inviting.ID(), home.Memory); err != nil {
		t.Error("the sign-in at home doesn't open the tenant abroad:", err)
	}
	_, _, err := s.silent(stranger.ID(), home.Memory)
	s.hasCode(err, "AADSTS50020")
	// In a browser, the person sees it at Entra's own page, and nobody comes back.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r.Tenant = "tailspin.example"
	s.cloud.Person(s.ada, azuretest.SignsIn)
	_, err = s.client.Browser(ctx, r)
	s.hasCode(err, CodeTimeout)
	if page := <-s.pages; !strings.Contains(page, "AADSTS50020") {
		t.Error(page)
	}
}

// TestManyAtOnce: two sign-ins of one machine don't meet.
func TestManyAtOnce(t *testing.T) {
	s := newStage(t)
	bob := s.tenant.AddUser("bob@contoso.example")
	names := make(chan string, 2)
	for _, u := range []*azuretest.User{s.ada, bob} {
		go func() {
			result, err := s.client.Browser(t.Context(), s.request(u))
			if err != nil {
				t.Error(err)
			}
			names <- result.User
		}()
	}
	if got := slices.Sorted(slices.Values([]string{<-names, <-names})); got[0] != s.ada.UPN() || got[1] != bob.UPN() {
		t.Error(got)
	}
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
