package exchange_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const nullGUID = "00000000-0000-0000-0000-000000000000"

func TestClient_Challenge(t *testing.T) {
	f := newFixture(t)
	const realm = "https://contoso.azurecr.io/oauth2/token"
	got, err := f.client.Challenge(t.Context(), f.host)
	if err != nil || got.Scheme != "Bearer" || got.Realm != realm || got.Service != "contoso.azurecr.io" {
		t.Errorf("%+v, %v", got, err)
	}
	if got.Issuer != "azuretest root" || time.Since(got.Date).Abs() > time.Minute {
		t.Errorf("%+v", got)
	}
	for _, row := range []struct{ sent, scheme, realm string }{
		{`Bearer service="x",realm="https://evil.example/oauth2/token"`, "Bearer", "https://evil.example/oauth2/token"},
		{`Bearer xrealm="https://evil.example"`, "Bearer", ""},
		{`Basic realm="a b"`, "Basic", ""},
		{"", "", ""},
	} {
		f.cloud.ClearFaults()
		header := http.Header{"Www-Authenticate": {row.sent}}
		f.cloud.Fault(f.host.String(), "/v2/", azuretest.Fault{Status: 401, Header: header})
		got, err := f.client.Challenge(t.Context(), f.host)
		if err != nil || got.Scheme != row.scheme || got.Realm != row.realm {
			t.Errorf("%q: %+v, %v", row.sent, got, err)
		}
	}
	if others := f.cloud.ForeignHosts(); len(others) > 0 {
		t.Errorf("requests to %v", others)
	}
}

func TestClient_Challenge_returns_certificate_and_clock_when_refused(t *testing.T) {
	f := newFixture(t)
	f.registry.Firewall(firewalled)
	got, err := f.client.Challenge(t.Context(), f.host)
	if f.check(t, err, fault.RegistryFirewall); got.Issuer == "" || got.Date.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestClient_Permissions(t *testing.T) {
	f := newFixture(t)
	refresh, err := f.client.Exchange(t.Context(), f.host, f.access())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(user string, password secret.String) ([]string, error) {
		return f.client.Permissions(t.Context(), f.host, user, password, "no/such/repository", "pull", "push")
	}
	if got, err := ask(nullGUID, refresh.Value); err != nil || !slices.Equal(got, []string{"pull"}) {
		t.Errorf("%v, %v", got, err)
	}
	f.registry.Revoke(f.app)
	if got, err := ask(nullGUID, refresh.Value); err != nil || len(got) != 0 {
		t.Errorf("without a role: %v, %v", got, err)
	}
	_, err = ask("", secret.String{})
	f.check(t, err, fault.RegistryUnauthorized)
	f.registry.AnonymousPull(true)
	if got, err := ask("", secret.String{}); err != nil || !slices.Equal(got, []string{"pull"}) {
		t.Errorf("anonymous: %v, %v", got, err)
	}
	for _, body := range []string{`{"access_token":"opaque"}`, `{}`, `[]`} {
		f.cloud.ClearFaults()
		f.cloud.Fault(f.host.String(), "/oauth2/token", azuretest.Fault{Body: body, ContentType: "application/json"})
		if got, err := ask(nullGUID, refresh.Value); fault.CodeOf(err) != fault.NotJSON {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
	if requests := f.cloud.Leaks(); len(requests) > 0 {
		t.Errorf("a secret was sent to %s", requests[0].Host)
	}
}

func TestClient_CheckPassword(t *testing.T) {
	f := newFixture(t)
	f.registry.SetAdmin("contoso", "hunter2")
	check := func(password string) error {
		return f.client.CheckPassword(t.Context(), f.host, "contoso", secret.New(password))
	}
	if err := check("hunter2"); err != nil {
		t.Error(err)
	}
	f.check(t, check("hunter3"), fault.RegistryPassword)
	f.registry.Firewall(firewalled)
	f.check(t, check("hunter2"), fault.RegistryFirewall)
}
