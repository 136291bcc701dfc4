package user

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	authorityHost = "login.microsoftonline.com"
	azureCLI      = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

// A fixture is a cloud with the user Ada, who may pull from a registry.
type fixture struct {
	t        *testing.T
	cloud    *azuretest.Cloud
	tenant   *azuretest.Tenant
	ada      *azuretest.User
	registry registry.Host
	private  bool // the user signs in at a cloud whose endpoints are not known
	client   Client
	pages    chan string // the last page of each browser
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	host := must(registry.ParseHost("contoso.azurecr.io"))
	f := &fixture{t: t, cloud: azuretest.Start(t), registry: host, pages: make(chan string, 8)}
	f.tenant = f.cloud.AddTenant("", "contoso.example")
	f.ada = f.tenant.AddUser("ada@contoso.example")
	f.cloud.AddRegistry(host.String(), f.tenant).Grant(f.ada, azuretest.AcrPull)
	transport := f.cloud.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	f.client = Client{Transport: transport, Now: time.Now, Log: slog.New(slog.DiscardHandler), Sleep: f.sleep}
	return f
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// sleep advances the cloud's clock instead of waiting.
func (f *fixture) sleep(ctx context.Context, d time.Duration) error {
	f.cloud.AdvanceClock(d)
	return ctx.Err()
}

func (f *fixture) request() Request {
	if f.private {
		return Request{ClientID: azureCLI, Cloud: registry.Cloud{Authority: azuretest.PrivateAuthority}, Audience: "https://acr.azure.example"}
	}
	return Request{ClientID: azureCLI, Cloud: f.registry.Cloud(), Audience: registry.Audience}
}

// makePrivate lets ada sign in at a private cloud, whose OpenID document has to be read.
func (f *fixture) makePrivate() {
	f.private = true
	f.tenant = f.cloud.AddTenantAt(azuretest.PrivateAuthority, "", "contoso.private")
	f.ada = f.tenant.AddUser("ada@contoso.private")
}

// open returns a function that opens a browser in which u, if not nil, chooses their account.
func (f *fixture) open(u *azuretest.User) func(address string) {
	return func(address string) { go f.browse(address, u) }
}

func (f *fixture) browse(address string, u *azuretest.User) {
	page, err := f.cloud.Browse(address, u)
	if err != nil {
		page = err.Error()
	}
	f.pages <- page
}

// signIn signs u in with a browser, which must succeed, and forgets the requests.
func (f *fixture) signIn(u *azuretest.User, r Request) Result {
	f.t.Helper()
	result, err := f.client.Browser(f.t.Context(), r, f.open(u))
	if err != nil {
		f.t.Fatal(err)
	}
	<-f.pages
	f.cloud.Reset()
	return result
}

func (f *fixture) silent(tenant string, before secret.String) (secret.Token, secret.String, error) {
	r := f.request()
	id := identity.Identity{Kind: identity.User, ClientID: azureCLI, Tenant: tenant, Audience: r.Audience}
	return f.client.Silent(f.t.Context(), id, r.Cloud, before)
}

// isAccepted reports whether the registry accepts a token.
func (f *fixture) isAccepted(token secret.Token) bool {
	f.t.Helper()
	host := f.registry.String()
	client := http.Client{Transport: f.client.Transport}
	resp := must(client.PostForm("https://"+host+"/oauth2/exchange", url.Values{
		"grant_type": {"access_token"}, "service": {host}, "access_token": {token.Value.Reveal()},
	}))
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// check checks the code of err, and that err quotes nothing.
func (f *fixture) check(err error, want fault.Code) {
	f.t.Helper()
	if fault.CodeOf(err) != want {
		f.t.Fatalf("got %v, want the code %s", err, want)
	}
	if text := err.Error(); text == "" || f.cloud.FindCanary(text) != "" || strings.Contains(text, "Trace ID") {
		f.t.Errorf("the error is %q", text)
	}
}

// mutate changes the authority's answers to requests with this method.
func (f *fixture) mutate(method string, change func(answer string) string) {
	f.cloud.Fault(f.request().Cloud.Authority, "*", azuretest.Fault{
		Method: method, Mutate: func(b []byte) []byte { return []byte(change(string(b))) },
	})
}

// moveEndpoint makes the OpenID document name an endpoint of another host.
func (f *fixture) moveEndpoint(name string) {
	f.mutate("GET", func(answer string) string {
		return strings.ReplaceAll(answer, `"`+name+`":"https://login`, `"`+name+`":"https://evil`)
	})
}

// TestClient_Silent needs the changed state each time, because a refresh token can be used once.
func TestClient_Silent(t *testing.T) {
	f := newFixture(t)
	state := f.signIn(f.ada, f.request()).State
	f.tenant.SingleUseRefreshTokens()
	for _, tenant := range []string{"", f.tenant.ID(), "contoso.example"} {
		access, changed, err := f.silent(tenant, state)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(f.cloud.Requests()); n != 1 || f.cloud.Seen(azuretest.KindEntraToken) != 1 {
			t.Errorf("tenant %q: %d requests", tenant, n)
		}
		if changed == state || !f.isAccepted(access) || access.Expires.Sub(access.Issued) < 50*time.Minute {
			t.Errorf("tenant %q: %v", tenant, access)
		}
		if strings.Contains(changed.Reveal(), access.Value.Reveal()) {
			t.Error("the state has an access token")
		}
		state = changed
		f.cloud.Reset()
	}
}

func TestClient_Silent_refused(t *testing.T) {
	for _, row := range []struct {
		what    string
		prepare func(*fixture)
		code    fault.Code
	}{
		{"revoked", func(f *fixture) { f.ada.RevokeSessions() }, "AADSTS50173"},
		{"a second factor", func(f *fixture) { f.tenant.StepUp() }, "AADSTS50076"},
		{"an outage", func(f *fixture) {
			f.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Status: 500})
		}, fault.EntraUnavailable},
		{"malformed JSON", func(f *fixture) {
			f.mutate("POST", func(string) string { return `{"access_token":"` })
		}, fault.NotJSON},
		{"a hostile OpenID document", func(f *fixture) { f.moveEndpoint("token_endpoint") }, fault.UnexpectedHost},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			if row.code == fault.UnexpectedHost {
				f.makePrivate()
			}
			before := f.signIn(f.ada, f.request()).State
			row.prepare(f)
			_, changed, err := f.silent(f.tenant.ID(), before)
			f.check(err, row.code)
			if n := f.cloud.Seen(azuretest.KindEntraToken); n > 1 {
				t.Errorf("%d requests", n)
			}
			if row.code != "AADSTS50076" && changed != before {
				t.Error("the state has changed")
			}
			failed, _ := errors.AsType[*fault.Error](err)
			if refused, _ := errors.AsType[authority.Refusal](err); refused.AADSTS != 0 && failed.CorrelationID == "" {
				t.Error("no correlation ID")
			}
			if others := f.cloud.ForeignHosts(); len(others) > 0 {
				t.Error(others)
			}
		})
	}
}

func TestClaimsChallenge_and_StoredClaims(t *testing.T) {
	f := newFixture(t)
	before := f.signIn(f.ada, f.request()).State
	want := f.tenant.StepUp()
	_, changed, err := f.silent("", before)
	f.check(err, "AADSTS50076")
	if ClaimsChallenge(err) != want || StoredClaims(changed) != want || StoredClaims(before) != "" {
		t.Fatalf("want %q, got %q, stored %q", want, ClaimsChallenge(err), StoredClaims(changed))
	}
	r := f.request()
	_, err = f.client.Browser(t.Context(), r, f.open(f.ada))
	f.check(err, "AADSTS50076")
	<-f.pages
	r.Claims = StoredClaims(changed)
	again := f.signIn(f.ada, r)
	if StoredClaims(again.State) != "" {
		t.Error("a satisfied challenge is still stored")
	}
	if _, _, err := f.silent("", again.State); err != nil {
		t.Error(err)
	}
	// A later refusal without a challenge doesn't remove the stored one; a success does.
	f.tenant.Block(53003)
	_, changed, err = f.silent("", changed)
	f.check(err, "AADSTS53003")
	if StoredClaims(changed) != want {
		t.Errorf("stored %q", StoredClaims(changed))
	}
	f.tenant.Block(0)
	if _, changed, err = f.silent("", changed); err != nil || StoredClaims(changed) != "" {
		t.Errorf("%v, %q", err, StoredClaims(changed))
	}
}

// merge returns a state of several users, which no sign-in makes.
func merge(t *testing.T, states ...secret.String) secret.String {
	t.Helper()
	all := map[string]map[string]any{}
	for _, s := range states {
		var one struct{ Cache map[string]map[string]any }
		if err := json.Unmarshal([]byte(s.Reveal()), &one); err != nil {
			t.Fatal(err)
		}
		for kind, entries := range one.Cache {
			if all[kind] == nil {
				all[kind] = map[string]any{}
			}
			maps.Copy(all[kind], entries)
		}
	}
	return secret.New(string(must(json.Marshal(map[string]any{"cache": all}))))
}

func TestClient_Silent_rejects_useless_states(t *testing.T) {
	f := newFixture(t)
	bob := f.tenant.AddUser("bob@contoso.example")
	adas, bobs := f.signIn(f.ada, f.request()).State, f.signIn(bob, f.request()).State
	for what, before := range map[string]secret.String{
		"none": {}, "no JSON": secret.New("{"), "other JSON": secret.New(`{"a":1}`), "no account": secret.New(`{"cache":{}}`),
		"a malformed cache": secret.New(`{"cache":[1]}`), "two accounts": merge(t, adas, bobs),
		"another application's": secret.New(strings.NewReplacer(
			azureCLI, "1950a258-227b-4e31-a9cf-717495945fc2", `"family_id":"1"`, `"family_id":""`).Replace(adas.Reveal())),
	} {
		t.Run(what, func(t *testing.T) {
			_, changed, err := f.silent("", before)
			f.check(err, fault.SignInAgain)
			if changed != before {
				t.Error("the state has changed")
			}
		})
	}
	if n := len(f.cloud.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestClient_finish(t *testing.T) {
	const tenant = "7d1c0000-0000-4000-8000-00000000abcd"
	for _, row := range []struct {
		name, account, tenant string
		valid                 bool
	}{
		{"zoë@contoso.example", "a.b", tenant, true},
		{"Zoë O'Neill (guest)", "a.b", tenant, true},
		{"", "a.b", tenant, false},
		{"zoë\n", "a.b", tenant, false},
		{"\x1b[2J", "a.b", tenant, false},
		{"right\u202eto left", "a.b", tenant, false},
		{strings.Repeat("x", 201), "a.b", tenant, false},
		{"zoë@contoso.example", "", tenant, false},
		{"zoë@contoso.example", "a.b", "", false},
		{"zoë@contoso.example", "a.b", "contoso.example", false},
	} {
		answer := public.AuthResult{}
		answer.Account.PreferredUsername, answer.Account.HomeAccountID = row.name, row.account
		answer.IDToken.TenantID = row.tenant
		got, err := Client{Now: time.Now}.finish(registry.Cloud{}, &state{}, answer)
		switch {
		case row.valid && (err != nil || got.User != row.name || got.Tenant != row.tenant):
			t.Errorf("%+v: %+v, %v", row, got, err)
		case !row.valid && fault.CodeOf(err) != fault.NotJSON:
			t.Errorf("%+v: %v", row, err)
		}
	}
}
