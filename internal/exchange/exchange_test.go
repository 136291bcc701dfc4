package exchange_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func parseHost(t *testing.T, name string) registry.Host {
	t.Helper()
	host, err := registry.ParseHost(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// world is a registry with somebody who may pull, and a client for it.
func world(t *testing.T) (*azuretest.Cloud, *azuretest.Registry, *azuretest.ServicePrincipal, exchange.Client) {
	t.Helper()
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant("")
	app := tenant.AddServicePrincipal("", "s3cret-value")
	acr := cloud.AddRegistry("contoso.azurecr.io", tenant)
	acr.Grant(app, azuretest.AcrPull)
	return cloud, acr, app, exchange.Client{Transport: cloud.Transport(), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func access(p azuretest.Principal, audience string, ttl time.Duration) secret.Token {
	return secret.Token{Value: secret.New(p.AccessToken(audience, ttl))}
}

func TestTheExchangeSendsOnePlainForm(t *testing.T) {
	cloud, _, app, client := world(t)
	token := access(app, registry.Audience, 0)
	got, err := client.RefreshToken(t.Context(), parseHost(t, "contoso.azurecr.io"), token)
	if err != nil {
		t.Fatal(err)
	}
	if life := got.Expires.Sub(got.Issued); life < 3*time.Hour-time.Minute || life > 3*time.Hour {
		t.Errorf("a life of %v", life)
	}
	requests := cloud.Requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	want := url.Values{"grant_type": {"access_token"}, "service": {"contoso.azurecr.io"}, "access_token": {token.Value.Reveal()}}
	if r := requests[0]; r.Method != "POST" || r.Path != "/oauth2/exchange" || len(r.Query) != 0 || !reflect.DeepEqual(r.Form, want) {
		t.Errorf("%s %s?%s with the fields %v", r.Method, r.Path, r.Query.Encode(), r.Form)
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(*azuretest.Cloud, *azuretest.Registry, *azuretest.ServicePrincipal) secret.Token
		code string
	}{
		{"no role", func(_ *azuretest.Cloud, r *azuretest.Registry, p *azuretest.ServicePrincipal) secret.Token {
			r.Revoke(p)
			return access(p, registry.Audience, 0)
		}, exchange.CodeUnauthorized},
		{"wrong audience", func(_ *azuretest.Cloud, _ *azuretest.Registry, p *azuretest.ServicePrincipal) secret.Token {
			return access(p, "https://graph.microsoft.com", 0)
		}, exchange.CodeUnauthorized},
		{"expired", func(_ *azuretest.Cloud, _ *azuretest.Registry, p *azuretest.ServicePrincipal) secret.Token {
			return access(p, registry.Audience, -time.Hour)
		}, exchange.CodeUnauthorized},
		{"another tenant", func(c *azuretest.Cloud, r *azuretest.Registry, _ *azuretest.ServicePrincipal) secret.Token {
			return access(c.AddTenant("").AddServicePrincipal("", "x"), registry.Audience, 0)
		}, exchange.CodeUnauthorized},
		{"firewall", func(_ *azuretest.Cloud, r *azuretest.Registry, p *azuretest.ServicePrincipal) secret.Token {
			r.Firewall("203.0.113.7")
			return access(p, registry.Audience, 0)
		}, exchange.CodeFirewall},
		{"throttling", func(_ *azuretest.Cloud, r *azuretest.Registry, p *azuretest.ServicePrincipal) secret.Token {
			r.Throttle(100, "60")
			return access(p, registry.Audience, 0)
		}, exchange.CodeThrottled},
		{"trouble", func(c *azuretest.Cloud, _ *azuretest.Registry, p *azuretest.ServicePrincipal) secret.Token {
			c.Fault("contoso.azurecr.io", "", azuretest.Fault{Status: 500, Body: "<html>500</html>", ContentType: "text/html"})
			return access(p, registry.Audience, 0)
		}, exchange.CodeTrouble},
		{"a huge token", func(c *azuretest.Cloud, _ *azuretest.Registry, _ *azuretest.ServicePrincipal) secret.Token {
			return secret.Token{Value: secret.New(strings.Repeat("x", 100_000))}
		}, exchange.CodeTooLarge},
	} {
		t.Run(row.what, func(t *testing.T) {
			cloud, acr, app, client := world(t)
			_, err := client.RefreshToken(t.Context(), parseHost(t, "contoso.azurecr.io"), row.do(cloud, acr, app))
			var refused *exchange.Error
			if !errors.As(err, &refused) || refused.Code() != row.code {
				t.Fatalf("%v", err)
			}
			if canary := cloud.FindCanary(err.Error()); canary != "" {
				t.Errorf("the error quotes %q", canary)
			}
		})
	}
}

func TestTheFirewallsAnswerNamesTheAddress(t *testing.T) {
	_, acr, app, client := world(t)
	acr.Firewall("203.0.113.7")
	_, err := client.RefreshToken(t.Context(), parseHost(t, "contoso.azurecr.io"), access(app, registry.Audience, 0))
	var refused *exchange.Error
	if !errors.As(err, &refused) || refused.Client != "203.0.113.7" || refused.Correlation == "" {
		t.Errorf("%+v", refused)
	}
}

func TestARegionalEndpointsTokenMayNameTheRegistryAsAWhole(t *testing.T) {
	_, acr, app, client := world(t)
	acr.AddRegion("contoso.westeurope.geo.azurecr.io")
	got, err := client.RefreshToken(t.Context(), parseHost(t, "contoso.westeurope.geo.azurecr.io"), access(app, registry.Audience, 0))
	if err != nil || got.Expires.IsZero() {
		t.Errorf("%v, %v", got.Expires, err)
	}
}

// jwt is an ACR token without a signature worth the name.
func jwt(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature"))
}

func TestTheLifeOfATokenThatCameIn(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	host := parseHost(t, "contoso.azurecr.io")
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, row := range []struct {
		what, token string
		life        time.Duration // 0: refused
	}{
		{"fresh", jwt(fmt.Sprintf(`{"aud":"contoso.azurecr.io","iat":%d,"exp":%d}`, at(0), at(3*time.Hour))), 3 * time.Hour},
		{"half spent", jwt(fmt.Sprintf(`{"aud":"contoso.azurecr.io","iat":%d,"exp":%d}`, at(-90*time.Minute), at(90*time.Minute))), 90 * time.Minute},
		{"from a clock ahead of ours", jwt(fmt.Sprintf(`{"aud":"contoso.azurecr.io","iat":%d,"exp":%d}`, at(time.Hour), at(4*time.Hour))), 3 * time.Hour},
		{"of several audiences", jwt(fmt.Sprintf(`{"aud":["x","contoso.azurecr.io"],"exp":%d}`, at(time.Hour))), time.Hour},
		{"for a year", jwt(fmt.Sprintf(`{"aud":"contoso.azurecr.io","exp":%d}`, at(365*24*time.Hour))), 24 * time.Hour},
		{"ended", jwt(fmt.Sprintf(`{"aud":"contoso.azurecr.io","exp":%d}`, at(-time.Second))), 0},
		{"for somebody else", jwt(fmt.Sprintf(`{"aud":"fabrikam.azurecr.io","exp":%d}`, at(time.Hour))), 0},
		{"without an end", jwt(`{"aud":"contoso.azurecr.io"}`), 0},
		{"no JSON inside", jwt(`{`), 0},
		{"no token", "hunter2", 0},
		{"two parts", "a.b", 0},
		{"nothing", "", 0},
		{"too long", jwt(fmt.Sprintf(`{"aud":"contoso.azurecr.io","exp":%d,"x":"%s"}`, at(time.Hour), strings.Repeat("x", 20_000))), 0},
	} {
		got, _, err := exchange.Received(host, row.token, now)
		if (err == nil) != (row.life > 0) || err == nil && got.Expires.Sub(now) != row.life {
			t.Errorf("%s: a life of %v, %v; want %v", row.what, got.Expires.Sub(now), err, row.life)
		}
		if err != nil && row.token != "" && strings.Contains(err.Error(), row.token) {
			t.Errorf("%s: the error quotes the token", row.what)
		}
	}
}
