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
	testHost = "contoso.azurecr.io"
	acrScope = acrResource + "/.default"
)

// A world is a cloud with one tenant, application and registry, and a client
// that follows no redirect.
type world struct {
	*Cloud
	t        *testing.T
	tenant   *Tenant
	app      *ServicePrincipal
	registry *Registry
	client   *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := Start(t)
	tenant := c.AddTenant("", "contoso.onmicrosoft.com")
	app := tenant.AddServicePrincipal("", "planted-secret")
	registry := c.AddRegistry(testHost, tenant)
	registry.Grant(app, AcrPush)
	registry.Grant(app, AcrDelete)
	transport := c.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return &world{c, t, tenant, app, registry, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answer is a response with its body read.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) field(name string) string {
	var fields map[string]any
	json.Unmarshal(a.body, &fields)
	s, _ := fields[name].(string)
	return s
}

func (w *world) do(req *http.Request) answer {
	w.t.Helper()
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp, body}
}

func (w *world) request(method, url, body string, header ...string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (w *world) get(url string, header ...string) answer {
	w.t.Helper()
	return w.do(w.request("GET", url, "", header...))
}

func (w *world) post(url string, form url.Values, header ...string) answer {
	w.t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)
	return w.do(w.request("POST", url, form.Encode(), header...))
}

// form makes url.Values from pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// exchange asks for a refresh token with an access token.
func (w *world) exchange(accessToken string) answer {
	w.t.Helper()
	return w.post("https://"+testHost+"/oauth2/exchange",
		form("grant_type", "access_token", "service", testHost, "access_token", accessToken))
}

// access gets an ACR access token by a refresh token.
func (w *world) access(refreshToken string, scopes ...string) string {
	w.t.Helper()
	v := form("grant_type", "refresh_token", "service", testHost, "refresh_token", refreshToken)
	v["scope"] = scopes
	a := w.post("https://"+testHost+"/oauth2/token", v)
	if a.StatusCode != 200 {
		w.t.Fatalf("access token: %s %s", a.Status, a.body)
	}
	return a.field("access_token")
}

// lastWhy is the cloud's reason for its last refusal.
func (w *world) lastWhy() string {
	all := w.Requests()
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
