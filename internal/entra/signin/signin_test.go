package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	authorityHost = "login.microsoftonline.com"
	azureCLI      = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

// A stage is a cloud with Ada in it, whose registry she may pull from.
type stage struct {
	t        *testing.T
	cloud    *azuretest.Cloud
	tenant   *azuretest.Tenant
	ada      *azuretest.User
	registry *azuretest.Registry
	client   Client
	pages    chan string // the last page of each browser
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, cloud: azuretest.Start(t), pages: make(chan string, 8)}
	s.tenant = s.cloud.AddTenant("", "contoso.example")
	s.ada = s.tenant.AddUser("ada@contoso.example")
	s.registry = s.cloud.AddRegistry("contoso.azurecr.io", s.tenant)
	s.registry.Grant(s.ada, azuretest.AcrPull)
	transport := s.cloud.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	s.client = Client{Transport: transport, Now: time.Now, Log: slog.New(slog.DiscardHandler), Sleep: s.sleep}
	return s
}

// sleep lets the cloud's time pass instead of the test's.
func (s *stage) sleep(ctx context.Context, d time.Duration) error {
	s.cloud.AdvanceClock(d)
	return ctx.Err()
}

func cloudRow(t *testing.T) registry.Cloud {
	t.Helper()
	h, err := registry.ParseHost("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	return h.Cloud()
}

// request is for a browser in which u presses their button.
func (s *stage) request(u *azuretest.User) Request {
	return Request{
		ClientID: azureCLI, Cloud: cloudRow(s.t), Audience: registry.Audience,
		Open: func(address string) error {
			go s.browse(address, u)
			return nil
		},
	}
}

func (s *stage) browse(address string, u *azuretest.User) {
	page, err := s.cloud.Browse(address, u)
	if err != nil {
		page = err.Error()
	}
	s.pages <- page
}

func (s *stage) identity(tenant string) identity.Identity {
	return identity.Identity{Kind: identity.User, ClientID: azureCLI, Tenant: tenant, Audience: registry.Audience}
}

// signIn is a sign-in that has to succeed.
func (s *stage) signIn(r Request) Result {
	s.t.Helper()
	result, err := s.client.Browser(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	<-s.pages
	s.cloud.Reset()
	return result
}

func (s *stage) silent(tenant string, memory secret.String) (secret.Token, secret.String, error) {
	return s.client.Silent(s.t.Context(), s.identity(tenant), cloudRow(s.t), memory)
}

// opens says whether a token opens the registry.
func (s *stage) opens(token secret.Token) bool {
	s.t.Helper()
	resp, err := (&http.Client{Transport: s.client.Transport}).PostForm("https://contoso.azurecr.io/oauth2/exchange", url.Values{
		"grant_type": {"access_token"}, "service": {"contoso.azurecr.io"}, "access_token": {token.Value.Reveal()},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// hasCode checks an error's code, and that it quotes nothing.
func (s *stage) hasCode(err error, want string) {
	s.t.Helper()
	if failure.Code(err) != want {
		s.t.Fatalf("got %v, want the code %s", err, want)
	}
	if text := err.Error(); text == "" || s.cloud.FindCanary(text) != "" || strings.Contains(text, "Trace ID") {
		s.t.Errorf("the error says %q", text)
	}
}

func TestSilent(t *testing.T) {
	s := newStage(t)
	first := s.signIn(s.request(s.ada))
	if !s.opens(first.Access) {
		t.Error("the first token is of no use")
	}
	for _, tenant := range []string{"", s.tenant.ID(), "contoso.example"} {
		access, changed, err := s.silent(tenant, first.Memory)
		if err != nil {
			t.Fatal(err)
		}
		if changed == first.Memory || !s.opens(access) || access.Expires.Sub(access.Issued) < 50*time.Minute {
			t.Errorf("in tenant %q: %v", tenant, access)
		}
		if strings.Contains(changed.Reveal(), access.Value.Reveal()) {
			t.Error("an access token is remembered")
		}
	}
	// One person under two tenants is still one.
	_, both, err := s.silent(s.tenant.ID(), first.Memory)
	if err == nil {
		_, _, err = s.silent("", both)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestSilentRenewsFromWhatItGot(t *testing.T) {
	s := newStage(t)
	memory := s.signIn(s.request(s.ada)).Memory
	s.tenant.OneUse()
	for range 3 {
		var err error
		if _, memory, err = s.silent("", memory); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.cloud.Seen(azuretest.KindEntraToken); n != 3 || len(s.cloud.Requests()) != 6 {
		t.Errorf("%d token requests of %d", n, len(s.cloud.Requests()))
	}
}

func TestSilentRefusals(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(*stage)
		code string
	}{
		{"revoked", func(s *stage) { s.ada.RevokeSessions() }, "AADSTS50173"},
		{"a new password", func(s *stage) { s.ada.ChangePassword() }, "AADSTS50133"},
		{"unused", func(s *stage) { s.cloud.AdvanceClock(91 * 24 * time.Hour) }, "AADSTS700082"},
		{"sign-in frequency", func(s *stage) {
			s.tenant.SignInFrequency(time.Hour)
			s.cloud.AdvanceClock(2 * time.Hour)
		}, "AADSTS70043"},
		{"a second factor", func(s *stage) { s.tenant.StepUp() }, "AADSTS50076"},
		{"Conditional Access", func(s *stage) { s.tenant.Block(53003) }, "AADSTS53003"},
		{"consent", func(s *stage) { s.tenant.WithholdConsent(azureCLI) }, "AADSTS65001"},
		{"trouble", func(s *stage) { s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Status: 500}) }, authority.CodeTrouble},
		{"garbage", func(s *stage) {
			s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Body: `{"access_token":"`})
		}, guard.CodeNotJSON},
		{"a hostile document", func(s *stage) {
			s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "GET", Mutate: func(b []byte) []byte {
				return []byte(strings.ReplaceAll(string(b), `"token_endpoint":"https://login`, `"token_endpoint":"https://evil`))
			}})
		}, guard.CodeStranger},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t)
			memory := s.signIn(s.request(s.ada)).Memory
			row.do(s)
			_, changed, err := s.silent(s.tenant.ID(), memory)
			s.hasCode(err, row.code)
			if n := s.cloud.Seen(azuretest.KindEntraToken); n > 1 {
				t.Errorf("asked %d times", n)
			}
			if row.code != "AADSTS50076" && changed != memory {
				t.Error("the memory has changed")
			}
			if len(s.cloud.ForeignHosts()) > 0 {
				t.Error(s.cloud.ForeignHosts())
			}
		})
	}
}

func TestClaimsAreKeptAndUsed(t *testing.T) {
	s := newStage(t)
	memory := s.signIn(s.request(s.ada)).Memory
	want := s.tenant.StepUp()
	_, changed, err := s.silent("", memory)
	s.hasCode(err, "AADSTS50076")
	var refused *authority.Error
	if !errors.As(err, &refused) || refused.Claims != want || Claims(changed) != want || Claims(memory) != "" {
		t.Fatalf("the challenge got lost: %q", Claims(changed))
	}
	r := s.request(s.ada)
	_, err = s.client.Browser(t.Context(), r)
	s.hasCode(err, "AADSTS50076")
	<-s.pages
	r.Claims = Claims(changed)
	again := s.signIn(r)
	if Claims(again.Memory) != "" {
		t.Error("the challenge outlived the sign-in that met it")
	}
	if _, _, err := s.silent("", again.Memory); err != nil {
		t.Error(err)
	}
	// What Entra no longer asks for is forgotten.
	s.tenant.Block(0)
	if _, changed, err = s.silent("", changed); err != nil || Claims(changed) != "" {
		t.Errorf("%v, %q", err, Claims(changed))
	}
}

func TestMemoriesOfNoUse(t *testing.T) {
	s := newStage(t)
	bob := s.tenant.AddUser("bob@contoso.example")
	ada, other := s.signIn(s.request(s.ada)).Memory, s.signIn(s.request(bob)).Memory
	for what, memory := range map[string]secret.String{
		"none": {}, "no JSON": secret.New("{"), "another JSON": secret.New(`{"a":1}`), "no account": secret.New(`{"cache":{}}`),
		"a cache of another shape": secret.New(`{"cache":[1]}`), "two accounts": merged(t, ada, other),
	} {
		t.Run(what, func(t *testing.T) {
			_, changed, err := s.silent("", memory)
			s.hasCode(err, CodeAgain)
			if changed != memory {
				t.Error("the memory has changed")
			}
		})
	}
	id := s.identity("")
	id.ClientID = "1950a258-227b-4e31-a9cf-717495945fc2"
	strange := secret.New(strings.ReplaceAll(ada.Reveal(), `"family_id":"1"`, `"family_id":""`))
	_, _, err := s.client.Silent(t.Context(), id, cloudRow(t), strange)
	s.hasCode(err, CodeAgain)
	if n := len(s.cloud.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
