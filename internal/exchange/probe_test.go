package exchange_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const nullGUID = "00000000-0000-0000-0000-000000000000"

func TestTheChallengeIsReadAndNotFollowed(t *testing.T) {
	cloud, _, _, client := world(t)
	host := parseHost(t, "contoso.azurecr.io")
	got, err := client.Challenge(t.Context(), host)
	if err != nil || got.Scheme != "Bearer" || got.Realm != "https://contoso.azurecr.io/oauth2/token" || got.Service != "contoso.azurecr.io" {
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
		cloud.ClearFaults()
		cloud.Fault(host.String(), "/v2/", azuretest.Fault{Status: 401, Header: http.Header{"Www-Authenticate": {row.sent}}})
		got, err := client.Challenge(t.Context(), host)
		if err != nil || got.Scheme != row.scheme || got.Realm != row.realm {
			t.Errorf("%q: %+v, %v", row.sent, got, err)
		}
	}
	if strangers := cloud.ForeignHosts(); len(strangers) > 0 {
		t.Errorf("asked %v", strangers)
	}
}

func TestARefusalBesideWhatIsKnown(t *testing.T) {
	_, acr, _, client := world(t)
	acr.Firewall("203.0.113.9")
	got, err := client.Challenge(t.Context(), parseHost(t, "contoso.azurecr.io"))
	var refused *exchange.Error
	if !errors.As(err, &refused) || refused.Code() != exchange.CodeFirewall || got.Issuer == "" || got.Date.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPermissions(t *testing.T) {
	cloud, acr, app, client := world(t)
	host := parseHost(t, "contoso.azurecr.io")
	refresh, err := client.RefreshToken(t.Context(), host, access(app, registry.Audience, 0))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(user string, password secret.String) ([]string, error) {
		return client.Permissions(t.Context(), host, user, password, "no/such/repository", "pull", "push")
	}
	if got, err := ask(nullGUID, refresh.Value); err != nil || !slices.Equal(got, []string{"pull"}) {
		t.Errorf("%v, %v", got, err)
	}
	acr.Revoke(app)
	if got, err := ask(nullGUID, refresh.Value); err != nil || len(got) != 0 {
		t.Errorf("without a role: %v, %v", got, err)
	}
	if _, err := ask("", secret.String{}); err == nil {
		t.Error("anybody is let in")
	}
	acr.AnonymousPull(true)
	if got, err := ask("", secret.String{}); err != nil || !slices.Equal(got, []string{"pull"}) {
		t.Errorf("anybody: %v, %v", got, err)
	}
	for _, body := range []string{`{"access_token":"opaque"}`, `{}`, `[]`} {
		cloud.ClearFaults()
		cloud.Fault(host.String(), "/oauth2/token", azuretest.Fault{Body: body, ContentType: "application/json"})
		if got, err := ask(nullGUID, refresh.Value); err == nil {
			t.Errorf("%s: %v", body, got)
		}
	}
	if requests := cloud.Leaks(); len(requests) > 0 {
		t.Errorf("a secret was sent to %s", requests[0].Host)
	}
}
