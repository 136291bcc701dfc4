package azuretest

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRecorder(t *testing.T) {
	w := newWorld(t)
	refresh := w.exchange(w.app.AccessToken(acrResource, 0)).field("refresh_token")
	w.access(refresh, "repository:app:pull")
	w.get("https://" + testHost + "/v2/")
	w.get("https://" + testHost + "/v2/app/tags/list")
	for kind, want := range map[string]int{KindExchange: 1, KindACRToken: 1, KindChallenge: 1, KindData: 1, KindEntraToken: 0, KindForeign: 0} {
		if got := w.Seen(kind); got != want {
			t.Errorf("Seen(%s) = %d, want %d", kind, got, want)
		}
	}
	if got := w.Count("POST", testHost, "/oauth2/*"); got != 2 {
		t.Errorf("Count = %d", got)
	}
	first := w.Requests()[0]
	if first.Status != 200 || first.Method != "POST" || first.Host != testHost || first.Path != "/oauth2/exchange" ||
		first.Form.Get("service") != testHost || first.Scheme != "https" {
		t.Errorf("recorded %+v", first)
	}
	w.Reset()
	if len(w.Requests()) != 0 {
		t.Error("Reset left requests behind")
	}
}

func TestCanaries(t *testing.T) {
	w := newWorld(t)
	w.registry.SetAdmin("contoso", "admin-password")
	w.registry.AddScopedToken("ci", "scoped-password", nil)
	entra := w.app.AccessToken(acrResource, 0)
	refresh := w.exchange(entra).field("refresh_token")
	access := w.access(refresh)
	for _, secret := range []string{"planted-secret", "admin-password", "scoped-password", entra, refresh, access, strings.Split(refresh, ".")[2]} {
		if !slices.Contains(w.Canaries(), secret) || w.FindCanary("before "+secret+" after") == "" {
			t.Errorf("%q is no canary", secret)
		}
	}
	if got := w.FindCanary("nothing to see"); got != "" {
		t.Errorf("found %q in nothing", got)
	}
}

// A client that is led astray must be seen, with what it gave away.
func TestForeignHosts(t *testing.T) {
	w := newWorld(t)
	if a := w.get("https://evil.example/x"); a.StatusCode != 404 || len(w.Leaks()) != 0 {
		t.Errorf("%s, leaks %v", a.Status, w.Leaks())
	}
	w.Fault("attacker.example", "", Fault{Body: `{"refresh_token":"x"}`})
	if a := w.post("https://attacker.example/oauth2/exchange", form("access_token", w.app.AccessToken(acrResource, 0))); a.field("refresh_token") != "x" {
		t.Errorf("the attacker answers %s", a.body)
	}
	basic := w.request("GET", "https://basic.example/", "")
	basic.SetBasicAuth("user", "planted-secret")
	w.do(basic)
	if _, err := w.client.Get("http://" + testHost + "/v2/?x=planted-secret"); err == nil {
		t.Error("plain HTTP was answered")
	}
	w.get("https://" + testHost + ":8443/v2/")
	want := []string{"evil.example", "attacker.example", "basic.example", testHost + ":80", testHost + ":8443"}
	if got := w.ForeignHosts(); !slices.Equal(got, want) {
		t.Errorf("foreign hosts %q, want %q", got, want)
	}
	var leaked []string
	for _, r := range w.Leaks() {
		leaked = append(leaked, r.Scheme+"://"+r.Host)
	}
	if want := []string{"https://attacker.example", "https://basic.example", "http://" + testHost}; !slices.Equal(leaked, want) {
		t.Errorf("leaks to %q, want %q", leaked, want)
	}
}

// A client in another process may stop after the handshake: the name it asked
// for counts all the same.
func TestServerNameIsNoted(t *testing.T) {
	w := newWorld(t)
	conn, err := tls.Dial("tcp", w.Addr(), &tls.Config{ServerName: "Evil.example", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := w.ForeignHosts(); !slices.Equal(got, []string{"evil.example"}) {
		t.Errorf("foreign hosts %q", got)
	}
}

func TestTransportTo(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := w.WriteCA(path); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: TransportTo(w.Addr(), ca)}).Get("https://" + testHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	other := Start(t)
	if _, err := (&http.Client{Transport: TransportTo(w.Addr(), other.CAPEM())}).Get("https://" + testHost + "/v2/"); err == nil {
		t.Error("trusted another cloud's root")
	}
}

func TestProxy(t *testing.T) {
	w := newWorld(t)
	proxy := w.StartProxy()
	proxyURL, err := url.Parse(proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := TransportTo("", w.CAPEM())
	transport.DialContext, transport.Proxy = nil, http.ProxyURL(proxyURL)
	client := &http.Client{Transport: transport}
	resp, err := client.Get("https://" + testHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if w.Seen(KindChallenge) != 1 || len(w.ForeignHosts()) != 0 {
		t.Errorf("seen %d, foreign %v", w.Seen(KindChallenge), w.ForeignHosts())
	}
	for _, host := range []string{"evil.example", testHost + ":8443", "127.0.0.1:1"} {
		if _, err := client.Get("https://" + host + "/"); err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
			t.Errorf("%s: %v", host, err)
		}
	}
	resp, err = client.Get("http://" + testHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("plain: %s", resp.Status)
	}
	want := []string{"evil.example", testHost + ":8443", "127.0.0.1:1", "http://" + testHost}
	if got := w.ForeignHosts(); !slices.Equal(got, want) {
		t.Errorf("foreign hosts %q, want %q", got, want)
	}
	proxy.Close()
	if _, err := client.Get("https://" + testHost + "/v2/"); err == nil {
		t.Error("a closed proxy answers")
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:443", "127.0.0.1"} {
		if c, err := New(Listen(address)); err == nil {
			c.Close()
			t.Errorf("listens on %q, where others may reach it", address)
		}
	}
}

func TestControl(t *testing.T) {
	w := newWorld(t)
	base, err := w.StartControl()
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, path, body string) string {
		t.Helper()
		req := w.request(method, base+path, body)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(text)))
	}
	token := w.app.AccessToken(acrResource, time.Hour)
	steps := []struct {
		method, path, body, want string
		exchange                 int // status of an exchange afterwards
	}{
		{"GET", "/count?kind=exchange", "", `200 {"count":0}`, 200},
		{"GET", "/count?kind=exchange", "", `200 {"count":1}`, 200},
		{"GET", "/count?method=POST&host=" + testHost, "", `200 {"count":2}`, 200},
		{"GET", "/count?kind=nonsense", "", "400 unknown kind nonsense", 200},
		{"POST", "/reset", "", "200 ", 200},
		{"GET", "/foreign", "", "200 []", 200},
		{"POST", "/fault?host=" + testHost + "&path=/oauth2/exchange", `{"status":503,"times":1,"latency":"1ms"}`, "200 ", 503},
		{"POST", "/fault?host=" + testHost, `{"statsu":503}`, `400 json: unknown field "statsu"`, 200},
		{"POST", "/fault", `{"aadsts":1}`, "400 unknown AADSTS code", 200},
		{"POST", "/fault", `{"aadsts":50196}`, "200 ", 400},
		{"POST", "/faults/clear", "", "200 ", 200},
		{"POST", "/firewall?ip=192.0.2.1&host=" + testHost, "", "200 ", 403},
		{"POST", "/firewall?ip=&host=" + testHost, "", "200 ", 200},
		{"POST", "/clock?advance=1h", "", "200 ", 401},
		{"POST", "/clock?advance=-1h", "", "200 ", 200},
		{"POST", "/secret?expire=planted-secret&client=" + w.app.ClientID(), "", "200 ", 200},
		{"POST", "/revoke?host=" + testHost + "&subject=" + w.app.ClientID(), "", "200 ", 401},
		{"POST", "/revoke?host=nowhere", "", "404 no such registry", 401},
	}
	for _, step := range steps {
		if got := call(step.method, step.path, step.body); got != step.want {
			t.Errorf("%s %s: %q, want %q", step.method, step.path, got, step.want)
		}
		if a := w.exchange(token); a.StatusCode != step.exchange {
			t.Errorf("exchange after %s: %s, want %d", step.path, a.Status, step.exchange)
		}
	}
	if w.app.authenticate("planted-secret") != 7000222 {
		t.Error("the secret hasn't expired")
	}
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	sign := func(secret string) int {
		return w.post("https://login.windows.net/"+w.tenant.ID()+"/oauth2/v2.0/token", form("grant_type", "client_credentials",
			"client_id", w.app.ClientID(), "client_secret", secret, "scope", acrScope)).StatusCode
	}
	w.app.SetSecret("new-secret")
	w.app.AddSecret("newer-secret")
	if old, new, newer := sign("planted-secret"), sign("new-secret"), sign("newer-secret"); old != 401 || new != 200 || newer != 200 {
		t.Errorf("old %d, new %d, newer %d", old, new, newer)
	}
	if w.FindCanary("planted-secret") == "" {
		t.Error("a secret of the past is no secret any more")
	}
}

func TestLives(t *testing.T) {
	w := newWorld(t)
	w.tenant.TokenLife(time.Hour)
	w.registry.AccessTokenLife(time.Minute)
	life := func(token string) float64 {
		c := claimsOf(t, token)
		return c["exp"].(float64) - c["iat"].(float64)
	}
	if got := life(w.app.AccessToken(acrResource, 0)); got != 3600+300 {
		t.Errorf("Entra token lives %v s from its backdated start", got)
	}
	if got := life(w.access(w.registry.RefreshTokenFor(w.app))); got != 60 {
		t.Errorf("ACR access token lives %v s", got)
	}
}

func TestRegistriesComeAndGo(t *testing.T) {
	w := newWorld(t)
	r := w.AddRegistry("Fabrikam.azurecr.io", nil)
	if a := w.get("https://fabrikam.azurecr.io/v2/"); a.StatusCode != 401 || r.Host() != "fabrikam.azurecr.io" || r.Tenant() == w.tenant {
		t.Errorf("%s %s", a.Status, r.Host())
	}
	w.RemoveRegistry("fabrikam.azurecr.io")
	if a := w.get("https://fabrikam.azurecr.io/v2/"); a.StatusCode != 404 || !slices.Equal(w.ForeignHosts(), []string{"fabrikam.azurecr.io"}) {
		t.Errorf("removed: %s %v", a.Status, w.ForeignHosts())
	}
}

// Compose runs helpers side by side; the cloud must not be what fails.
func TestParallel(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			client := &http.Client{Transport: w.Transport()}
			defer client.CloseIdleConnections()
			resp, err := client.PostForm(exchangeURL, form("grant_type", "access_token", "service", testHost,
				"access_token", w.app.AccessToken(acrResource, 0)))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Error(resp.Status)
			}
		})
	}
	wg.Wait()
	if got := w.Seen(KindExchange); got != 100 {
		t.Errorf("%d exchanges", got)
	}
}
