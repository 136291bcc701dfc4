package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// firewalled is the address that the registry's firewall sees.
const firewalled = "203.0.113.7"

func parseHost(t *testing.T, name string) registry.Host {
	t.Helper()
	host, err := registry.ParseHost(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// A fixture is the registry contoso.azurecr.io, an application that may pull from it, and a client.
type fixture struct {
	cloud    *azuretest.Cloud
	registry *azuretest.Registry
	app      *azuretest.ServicePrincipal
	host     registry.Host
	client   exchange.Client
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{cloud: azuretest.Start(t), host: parseHost(t, "contoso.azurecr.io")}
	tenant := f.cloud.AddTenant("")
	f.app = tenant.AddServicePrincipal("", "s3cret-value")
	f.registry = f.cloud.AddRegistry(f.host.String(), tenant)
	f.registry.Grant(f.app, azuretest.AcrPull)
	f.client = exchange.Client{Transport: f.cloud.Transport(), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	return f
}

func token(p azuretest.Principal, audience string, life time.Duration) secret.Token {
	return secret.Token{Value: secret.New(p.AccessToken(audience, life))}
}

// access is the application's Entra token for registries.
func (f fixture) access() secret.Token { return token(f.app, registry.Audience, 0) }

// check checks that err has the code, and that it quotes no secret.
func (f fixture) check(t *testing.T, err error, code fault.Code) *fault.Error {
	t.Helper()
	refused, ok := errors.AsType[*fault.Error](err)
	if !ok || refused.Code != code {
		t.Fatalf("got %v, want the code %s", err, code)
	}
	if canary := f.cloud.FindCanary(err.Error()); canary != "" {
		t.Errorf("the error quotes %q", canary)
	}
	return refused
}

func TestClient_RefreshToken(t *testing.T) {
	f := newFixture(t)
	access := f.access()
	got, err := f.client.Exchange(t.Context(), f.host, access)
	if err != nil {
		t.Fatal(err)
	}
	if life := got.Expires.Sub(got.Issued); life < 3*time.Hour-time.Minute || life > 3*time.Hour {
		t.Errorf("a life of %v", life)
	}
	requests := f.cloud.Requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r, want := requests[0], url.Values{
		"grant_type": {"access_token"}, "service": {"contoso.azurecr.io"}, "access_token": {access.Value.Reveal()},
	}
	if r.Method != "POST" || r.Path != "/oauth2/exchange" || len(r.Query) != 0 || !reflect.DeepEqual(r.Form, want) {
		t.Errorf("%s %s?%s with the fields %v", r.Method, r.Path, r.Query.Encode(), r.Form)
	}
}

// By a clock that is right, a token never outlives its own end; a clock that is wrong only counts its life.
func TestClient_Exchange_end_of_life(t *testing.T) {
	const life = 3 * time.Hour
	for _, row := range []struct{ ahead, expires time.Duration }{ // of the server's clock, in which exp is life
		{0, life},
		{-30 * time.Second, life - 30*time.Second}, // from its receipt
		{30 * time.Second, life},                   // not half a minute later
		{59 * time.Second, life},
		{time.Minute, life + time.Minute},
		{5 * time.Hour, life + 5*time.Hour},
		{-5 * time.Hour, life - 5*time.Hour},
	} {
		server := time.Unix(1_800_000_000, 0).UTC()
		f := fixture{host: parseHost(t, "contoso.azurecr.io")}
		f.client = exchange.Client{
			Now: func() time.Time { return server.Add(row.ahead) }, Log: slog.New(slog.DiscardHandler),
			Transport: answer{server, jwt(`{"aud":"contoso.azurecr.io","iat":%d,"exp":%d}`, server.Unix(), server.Add(life).Unix())},
		}
		got, err := f.client.Exchange(t.Context(), f.host, secret.Token{})
		if err != nil || got.Expires.Sub(server) != row.expires {
			t.Errorf("a clock that is %v ahead: %v, %v; want %v", row.ahead, got.Expires.Sub(server), err, row.expires)
		}
	}
}

// An answer is a registry's that has one refresh token.
type answer struct {
	date  time.Time
	token string
}

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"refresh_token":"` + a.token + `"}`)),
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {a.date.Format(http.TimeFormat)}},
	}, nil
}

// A regional endpoint's token names the whole registry.
func TestClient_RefreshToken_from_regional_endpoint(t *testing.T) {
	f := newFixture(t)
	region := parseHost(t, "contoso.westeurope.geo.azurecr.io")
	f.registry.AddRegion(region.String())
	if got, err := f.client.Exchange(t.Context(), region, f.access()); err != nil || got.Expires.IsZero() {
		t.Errorf("%v, %v", got.Expires, err)
	}
}

func TestClient_RefreshToken_answers(t *testing.T) {
	for _, row := range []struct {
		what    string
		prepare func(fixture)
		code    fault.Code // "" for a token that is used once and not cached
	}{
		{"unreadable", func(f fixture) { f.registry.ShapeRefreshTokens(azuretest.TokenShape{Opaque: true}) }, ""},
		{"for another registry", func(f fixture) {
			f.registry.ShapeRefreshTokens(azuretest.TokenShape{Audience: "fabrikam.azurecr.io"})
		}, ""},
		{"a life that is not plausible", func(f fixture) { f.registry.RefreshTokenLifetime(25 * time.Hour) }, ""},
		{"expired", func(f fixture) {
			f.registry.ShapeRefreshTokens(azuretest.TokenShape{Expired: true})
		}, fault.RegistryExpired},
		{"too long", func(f fixture) {
			f.registry.ShapeRefreshTokens(azuretest.TokenShape{Padding: 20_000})
		}, fault.NotJSON},
		{"no token", func(f fixture) {
			f.cloud.Fault(f.host.String(), "", azuretest.Fault{Body: "{}", ContentType: "application/json"})
		}, fault.NotJSON},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			row.prepare(f)
			got, err := f.client.Exchange(t.Context(), f.host, f.access())
			if row.code != "" {
				f.check(t, err, row.code)
			} else if err != nil || got.Value.IsZero() || got.Issued.IsZero() || !got.Expires.IsZero() {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestClient_RefreshToken_refused(t *testing.T) {
	for _, row := range []struct {
		what   string
		access func(fixture) secret.Token
		want   fault.Error
	}{
		{"no role", func(f fixture) secret.Token {
			f.registry.Revoke(f.app)
			return f.access()
		}, fault.Error{Code: fault.RegistryUnauthorized, Status: 401}},
		{"wrong audience", func(f fixture) secret.Token {
			return token(f.app, "https://graph.microsoft.com", 0)
		}, fault.Error{Code: fault.RegistryUnauthorized, Status: 401}},
		{"expired", func(f fixture) secret.Token {
			return token(f.app, registry.Audience, -time.Hour)
		}, fault.Error{Code: fault.RegistryUnauthorized, Status: 401}},
		{"another tenant", func(f fixture) secret.Token {
			return token(f.cloud.AddTenant("").AddServicePrincipal("", "x"), registry.Audience, 0)
		}, fault.Error{Code: fault.RegistryUnauthorized, Status: 401}},
		{"firewall", func(f fixture) secret.Token {
			f.registry.Firewall(firewalled)
			return f.access()
		}, fault.Error{
			Code: fault.RegistryFirewall, Status: 403, Reason: "the registry's firewall blocks the address " + firewalled,
		}},
		{"throttling", func(f fixture) secret.Token {
			f.registry.Throttle(100, "60")
			return f.access()
		}, fault.Error{Code: fault.RegistryThrottled, Status: 429, RetryAfter: time.Minute}},
		{"an outage", func(f fixture) secret.Token {
			page := azuretest.Fault{Status: 500, Body: "<html>500</html>", ContentType: "text/html"}
			f.cloud.Fault(f.host.String(), "", page)
			return f.access()
		}, fault.Error{Code: fault.RegistryUnavailable, Status: 500}},
		{"a huge token", func(fixture) secret.Token {
			return secret.Token{Value: secret.New(strings.Repeat("x", 100_000))}
		}, fault.Error{Code: fault.RegistryTooLarge, Status: 413}},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			access := row.access(f)
			_, err := f.client.Exchange(t.Context(), f.host, access)
			got := *f.check(t, err, row.want.Code)
			if (got.CorrelationID != "") != (got.Status != 500) { // that page has none
				t.Errorf("the correlation ID %q", got.CorrelationID)
			}
			if got.CorrelationID = ""; got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

// The id and the address must have the form of one: a message may quote what was sent.
func TestClient_RefreshToken_quotes_only_known_forms(t *testing.T) {
	f := newFixture(t)
	for _, row := range []struct {
		status              int
		message             string
		code                fault.Code
		correlation, quoted string
	}{
		{403, `client with IP '203.0.113.7' is not allowed`, fault.RegistryFirewall, "header", firewalled},
		{403, `client with IP "2001:db8::7" is not allowed`, fault.RegistryFirewall, "header", "2001:db8::7"},
		{403, `client with IP 'evil.example' is not allowed`, fault.RegistryDenied, "header", ""},
		{401, `client with IP '203.0.113.7' is not allowed`, fault.RegistryUnauthorized, "header", ""},
		{
			404, `CorrelationId: 5c2b6d1e-0000-4000-8000-000000000000`, fault.RegistryNotFound,
			"5c2b6d1e-0000-4000-8000-000000000000", "",
		},
		{400, `CorrelationId: not an id`, fault.RegistryOther, "header", ""},
	} {
		f.cloud.ClearFaults()
		f.cloud.Fault(f.host.String(), "", azuretest.Fault{
			Status: row.status, Body: fmt.Sprintf(`{"errors":[{"message":%q}]}`, row.message),
			ContentType: "application/json", Header: http.Header{"X-Ms-Correlation-Request-Id": {"header"}},
		})
		_, err := f.client.Exchange(t.Context(), f.host, f.access())
		got, reason := f.check(t, err, row.code), ""
		if row.quoted != "" {
			reason = "the registry's firewall blocks the address " + row.quoted
		}
		if got.CorrelationID != row.correlation || got.Reason != reason {
			t.Errorf("%d %s: %+v", row.status, row.message, got)
		}
	}
}

func TestClient_Exchange_canceled(t *testing.T) {
	f := newFixture(t)
	f.cloud.Fault("", "*", azuretest.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := f.client.Exchange(ctx, f.host, f.access()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
