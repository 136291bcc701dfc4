package azuretest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	testHost    = "contoso.azurecr.io"
	exchangeURL = "https://" + testHost + "/oauth2/exchange"
	acrScope    = acrResource + "/.default"
)

// A fixture is a cloud with one tenant, application and registry, and a client that follows no redirect.
type fixture struct {
	*Cloud
	t        *testing.T
	tenant   *Tenant
	app      *ServicePrincipal
	registry *Registry
	client   *http.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	c := Start(t)
	tenant := c.AddTenant("", "contoso.onmicrosoft.com")
	app := tenant.AddServicePrincipal("", "planted-secret")
	registry := c.AddRegistry(testHost, tenant)
	registry.Grant(app, AcrPush)
	registry.Grant(app, AcrDelete)
	transport := c.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return &fixture{c, t, tenant, app, registry, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A response is an http.Response with its body read.
type response struct {
	*http.Response
	body string
}

// field returns a string of a JSON body, or "".
func (r response) field(name string) string {
	var fields map[string]any
	json.Unmarshal([]byte(r.body), &fields)
	s, _ := fields[name].(string)
	return s
}

func (f *fixture) request(method, url, body string, header ...string) *http.Request {
	f.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (f *fixture) send(method, url, body string, header ...string) response {
	f.t.Helper()
	resp, err := f.client.Do(f.request(method, url, body, header...))
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response{resp, string(content)}
}

// want sends a request and requires a status.
func (f *fixture) want(status int, method, url, body string, header ...string) response {
	f.t.Helper()
	a := f.send(method, url, body, header...)
	if a.StatusCode != status {
		f.t.Fatalf("%s %s: %s, want %d: %s", method, url, a.Status, status, a.body)
	}
	return a
}

func (f *fixture) get(url string, header ...string) response {
	f.t.Helper()
	return f.send("GET", url, "", header...)
}

func (f *fixture) post(url string, form url.Values, header ...string) response {
	f.t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)
	return f.send("POST", url, form.Encode(), header...)
}

// form returns url.Values of pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// changed sets pairs in v. An empty value deletes.
func changed(v url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

// basicAuth returns the header of Basic credentials.
func basicAuth(user, password string) []string {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(user, password)
	return []string{"Authorization", req.Header.Get("Authorization")}
}

// exchange requests a refresh token for an Entra access token.
func (f *fixture) exchange(accessToken string) response {
	f.t.Helper()
	return f.post(exchangeURL, form("grant_type", "access_token", "service", testHost, "access_token", accessToken))
}

// acrToken returns an ACR access token for a refresh token.
func (f *fixture) acrToken(refreshToken string, scopes ...string) string {
	f.t.Helper()
	v := form("grant_type", "refresh_token", "service", testHost, "refresh_token", refreshToken)
	v["scope"] = scopes
	a := f.post("https://"+testHost+"/oauth2/token", v)
	if a.StatusCode != 200 {
		f.t.Fatalf("access token: %s %s", a.Status, a.body)
	}
	return a.field("access_token")
}

// bearer returns an Authorization header for the application.
func (f *fixture) bearer(scopes ...string) []string {
	f.t.Helper()
	return []string{"Authorization", "Bearer " + f.acrToken(f.registry.RefreshTokenFor(f.app), scopes...)}
}

// lastWhy returns why the last request was refused.
func (f *fixture) lastWhy() string {
	all := f.Requests()
	return all[len(all)-1].Why
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	claims := map[string]any{}
	if err := decodeSegment(parts[1], &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// lifetimeOf returns the seconds between iat and exp.
func lifetimeOf(t *testing.T, token string) float64 {
	t.Helper()
	c := claimsOf(t, token)
	return c["exp"].(float64) - c["iat"].(float64)
}
