package azuretest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"
)

// testKeys are made once: two for leaves, one for an authority.
var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var keys []*rsa.PrivateKey
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

func testCertificate(t *testing.T, name string, key *rsa.PrivateKey, parent *x509.Certificate, parentKey *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template := certificateTemplate(name)
	if parent == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func signAssertion(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	input := segment(header) + "." + segment(claims)
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
	if header["alg"] == "RS256" {
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64URL(sig)
}

func (w *world) present(assertion string) answer {
	w.t.Helper()
	return w.post("https://login.microsoftonline.com/"+w.tenant.ID()+"/oauth2/v2.0/token", form(
		"grant_type", "client_credentials", "client_id", w.app.ClientID(), "scope", acrScope,
		"client_assertion_type", jwtBearer, "client_assertion", assertion))
}

// codeOf is the AADSTS number of a refusal, 0 for none.
func codeOf(a answer) int {
	var body entraError
	if a.StatusCode != 200 && json.Unmarshal(a.body, &body) == nil && len(body.Codes) == 1 {
		return body.Codes[0]
	}
	return 0
}

func TestCertificateAssertions(t *testing.T) {
	w := newWorld(t)
	own, other, root := testKeys()[0], testKeys()[1], testKeys()[2]
	authority := testCertificate(t, "an authority", root, nil, nil)
	registered := testCertificate(t, "registered", own, nil, nil)
	named := testCertificate(t, "app.contoso.com", other, authority, root)
	stranger := testCertificate(t, "stranger", other, nil, nil)
	w.app.AddCertificate(registered)
	now := w.Now()
	good := map[string]any{
		"aud": "https://login.microsoftonline.com/" + w.tenant.ID() + "/oauth2/v2.0/token",
		"iss": w.app.ClientID(), "sub": w.app.ClientID(), "jti": newGUID(),
		"nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	s256 := func(c *x509.Certificate) map[string]any {
		sum := sha256.Sum256(c.Raw)
		return map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.StdEncoding.EncodeToString(sum[:])}
	}
	x5t := func(c *x509.Certificate) map[string]any {
		sum := sha1.Sum(c.Raw)
		return map[string]any{"alg": "RS256", "typ": "JWT", "x5t": base64.RawURLEncoding.EncodeToString(sum[:])}
	}
	with := func(base map[string]any, name string, value any) map[string]any {
		m := maps.Clone(base)
		m[name] = value
		return m
	}
	x5c := []string{base64.StdEncoding.EncodeToString(named.Raw), base64.StdEncoding.EncodeToString(authority.Raw)}
	for _, tt := range []struct {
		name           string
		key            *rsa.PrivateKey
		header, claims map[string]any
		code           int
	}{
		{"PS256", own, s256(registered), good, 0},
		{"RS256", own, x5t(registered), good, 0},
		{"by domain", own, s256(registered), with(good, "aud", "https://login.windows.net/contoso.onmicrosoft.com/oauth2/v2.0/token"), 0},
		{"a clock that is a little off", own, s256(registered), with(good, "nbf", now.Add(4*time.Minute).Unix()), 0},
		{"unregistered", other, s256(stranger), good, 700027},
		{"another's signature", other, s256(registered), good, 700027},
		{"another algorithm", own, with(s256(registered), "alg", "none"), good, 700027},
		{"no thumbprint", own, map[string]any{"alg": "PS256"}, good, 700027},
		{"another application", own, s256(registered), with(good, "sub", newGUID()), 700021},
		{"another audience", own, s256(registered), with(good, "aud", "https://login.microsoftonline.com/"+w.tenant.ID()), 700023},
		{"another cloud", own, s256(registered), with(good, "aud", "https://login.microsoftonline.us/"+w.tenant.ID()+"/oauth2/v2.0/token"), 700023},
		{"no id", own, s256(registered), with(good, "jti", ""), 50027},
		{"expired", own, s256(registered), with(good, "exp", now.Add(-6*time.Minute).Unix()), 700024},
		{"from the future", own, s256(registered), with(good, "nbf", now.Add(6*time.Minute).Unix()), 700024},
		{"a chain, but no subject", other, with(s256(named), "x5c", x5c), good, 700027},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.present(signAssertion(t, tt.key, tt.header, tt.claims)); codeOf(a) != tt.code || (a.StatusCode == 200) != (tt.code == 0) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	w.app.AddCertificateSubject("app.contoso.com", authority)
	for _, tt := range []struct {
		name   string
		key    *rsa.PrivateKey
		header map[string]any
		code   int
	}{
		{"a subject", other, with(s256(named), "x5c", x5c), 0},
		{"a subject without its chain", other, s256(named), 700027},
		{"another certificate's chain", other, with(s256(stranger), "x5c", x5c), 700027},
		{"another authority", other, with(s256(stranger), "x5c", []string{base64.StdEncoding.EncodeToString(stranger.Raw)}), 700030},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.present(signAssertion(t, tt.key, tt.header, good)); codeOf(a) != tt.code || (a.StatusCode == 200) != (tt.code == 0) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	w.app.Disable()
	if a := w.present(signAssertion(t, own, s256(registered), good)); codeOf(a) != 7000112 {
		t.Errorf("a disabled application: %s", a.body)
	}
}

func TestFederatedAssertions(t *testing.T) {
	w := newWorld(t)
	const url, subject = "https://oidc.prod-aks.azure.com/cluster/", "system:serviceaccount:ci:builder"
	cluster := w.AddIssuer(url)
	impostor := &Issuer{cloud: w.Cloud, url: url, signer: newSigner()}
	elsewhere := w.AddIssuer("https://gitlab.com")
	w.app.AddFederatedCredential(url, subject, "")
	vm := w.tenant.AddServicePrincipal("", "")
	w.app.AddManagedIdentityCredential(vm)
	slow := w.AddIssuer("https://later.example")
	slow.cloud = Start(t)
	slow.cloud.AdvanceClock(time.Hour)
	w.app.AddFederatedCredential(slow.url, subject, "")
	for _, tt := range []struct {
		name, token string
		code        int
	}{
		{"good", cluster.Token(subject, TokenExchange, time.Hour), 0},
		{"a managed identity", vm.AccessToken(TokenExchange, 0), 0},
		{"another managed identity", w.app.AccessToken(TokenExchange, 0), 700213},
		{"a managed identity's token for something else", vm.AccessToken(acrResource, 0), 700211},
		{"another issuer", elsewhere.Token(subject, TokenExchange, time.Hour), 700211},
		{"another's signature", impostor.Token(subject, TokenExchange, time.Hour), 50013},
		{"another audience", cluster.Token(subject, TokenExchangeChina, time.Hour), 700212},
		{"another subject", cluster.Token(subject+"2", TokenExchange, time.Hour), 700213},
		{"letter case", cluster.Token("System:serviceaccount:ci:builder", TokenExchange, time.Hour), 700213},
		{"expired", cluster.Token(subject, TokenExchange, -6*time.Minute), 700024},
		{"not yet valid", slow.Token(subject, TokenExchange, time.Hour), 700024},
		{"not a token", "a.b.c", 700027},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.present(tt.token); codeOf(a) != tt.code || (a.StatusCode == 200) != (tt.code == 0) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	a := w.post("https://login.microsoftonline.com/"+w.tenant.ID()+"/oauth2/v2.0/token", form("grant_type", "client_credentials",
		"client_id", w.app.ClientID(), "scope", acrScope, "client_assertion", cluster.Token(subject, TokenExchange, time.Hour)))
	if codeOf(a) != 900144 {
		t.Errorf("no type: %s", a.body)
	}
	if _, _, err := w.tenant.principal(vm.AccessToken(TokenExchange, 0)); err == nil {
		t.Error("a registry accepts an assertion")
	}
}

func TestGitHubActions(t *testing.T) {
	w := newWorld(t)
	github := w.AddGitHubActions()
	const subject = "repo:contoso/app:ref:refs/heads/main"
	job := github.Job(subject)
	w.app.AddFederatedCredential(GitHubIssuer, subject, "")
	bearer := "Bearer " + job.RequestToken()
	url := job.RequestURL() + "&audience=api%3A%2F%2FAzureADTokenExchange"
	for _, tt := range []struct {
		name, method, url, bearer string
		status                    int
	}{
		{"good", "GET", url, bearer, 200},
		{"no audience", "GET", job.RequestURL(), bearer, 200},
		{"POST", "POST", url, bearer, 405},
		{"no token", "GET", url, "", 401},
		{"another token", "GET", url, "Bearer x", 401},
		{"another scheme", "GET", url, "bearer " + job.RequestToken(), 401},
		{"a parameter too many", "GET", url + "&x=y", bearer, 400},
		{"two audiences", "GET", url + "&audience=a", bearer, 400},
		{"another path", "GET", "https://run-actions-1-azure-eastus.actions.githubusercontent.com/", bearer, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(w.request(tt.method, tt.url, "", "Authorization", tt.bearer))
			if a.StatusCode != tt.status {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	token := w.get(url, "Authorization", bearer).field("value")
	if a := w.present(token); a.StatusCode != 200 {
		t.Errorf("%s", a.body)
	}
	w.AdvanceClock(11 * time.Minute) // its life and Entra's leeway
	if a := w.present(token); codeOf(a) != 700024 {
		t.Errorf("an old token: %s", a.body)
	}
	job.End()
	if a := w.get(url, "Authorization", bearer); a.StatusCode != 401 {
		t.Errorf("after the job: %s", a.Status)
	}
	if w.FindCanary(token) == "" || w.FindCanary(bearer) == "" || w.Seen(KindGitHubToken) != 11 {
		t.Errorf("canaries are missing, or %d requests", w.Seen(KindGitHubToken))
	}
}

func TestAzurePipelines(t *testing.T) {
	w := newWorld(t)
	organization := w.AddAzurePipelines("contoso")
	job := organization.Job()
	connection, subject := job.AddServiceConnection("registry")
	w.app.AddFederatedCredential(organization.Issuer(), subject, "")
	url := job.RequestURL() + "?api-version=7.1&serviceConnectionId=" + connection
	good := []string{"Authorization", "Bearer " + job.RequestToken(), "Content-Type", "application/json", "X-TFS-FedAuthRedirect", "Suppress"}
	with := func(change ...string) []string { return append(append([]string{}, good...), change...) }
	for _, tt := range []struct {
		name, method, url string
		header            []string // of doubled names, the last counts
		status            int
	}{
		{"good", "POST", url, good, 200},
		{"nothing, of no type", "POST", url, append(good[:2:2], good[4:]...), 200},
		{"GET", "GET", url, good, 405},
		{"another token", "POST", url, with("Authorization", "Bearer x"), 401},
		{"another token, unsuppressed", "POST", url, with("Authorization", "Bearer x", "X-TFS-FedAuthRedirect", ""), 302},
		{"unsuppressed", "POST", url, with("X-TFS-FedAuthRedirect", ""), 400},
		{"another content type", "POST", url, with("Content-Type", "text/plain"), 400},
		{"another version", "POST", job.RequestURL() + "?api-version=7.0&serviceConnectionId=" + connection, good, 400},
		{"a parameter too many", "POST", url + "&audience=x", good, 400},
		{"another connection", "POST", job.RequestURL() + "?api-version=7.1&serviceConnectionId=" + newGUID(), good, 404},
		{"another path", "POST", "https://dev.azure.com/", good, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.do(w.request(tt.method, tt.url, "", tt.header...)); a.StatusCode != tt.status {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	token := w.do(w.request("POST", url, "", good...)).field("oidcToken")
	if a := w.present(token); a.StatusCode != 200 || w.Seen(KindPipelinesToken) != 12 {
		t.Errorf("%s, %d requests", a.body, w.Seen(KindPipelinesToken))
	}
}

func TestTokenProxy(t *testing.T) {
	w := newWorld(t)
	cluster := w.AddIssuer("https://oidc.prod-aks.azure.com/cluster/")
	proxy := w.AddTokenProxy()
	const subject = "system:serviceaccount:ci:builder"
	proxy.Bind(w.app, cluster, subject)
	token := cluster.Token(subject, IdentityBinding, time.Hour)
	if a := w.present(token); codeOf(a) != 700211 {
		t.Errorf("past the proxy: %s", a.body)
	}
	send := func(req *http.Request, serverName string, ca []byte) (int, error) {
		transport := TransportTo(w.Addr(), ca)
		defer transport.CloseIdleConnections()
		transport.TLSClientConfig.ServerName = serverName
		req.Host = DefaultAuthority
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return resp.StatusCode, nil
	}
	ask := func(serverName string, ca []byte) (int, error) {
		return send(w.request("POST", proxy.URL()+"/"+w.tenant.ID()+"/oauth2/v2.0/token", form(
			"grant_type", "client_credentials", "client_id", w.app.ClientID(), "scope", acrScope,
			"client_assertion_type", jwtBearer, "client_assertion", token).Encode(), "Content-Type", "application/x-www-form-urlencoded"), serverName, ca)
	}
	if status, err := ask(proxy.ServerName(), proxy.CAPEM()); status != 200 {
		t.Errorf("through the proxy: %d %v", status, err)
	}
	for path, want := range map[string]int{
		"/common/discovery/instance?api-version=1.1&authorization_endpoint=https://" + DefaultAuthority + "/common/oauth2/v2.0/authorize": 200,
		"/" + w.tenant.ID() + "/oauth2/v2.0/authorize": 404,
	} {
		if status, err := send(w.request("GET", proxy.URL()+path, ""), proxy.ServerName(), proxy.CAPEM()); status != want {
			t.Errorf("%s through the proxy: %d %v", path, status, err)
		}
	}
	if status, err := ask("", proxy.CAPEM()); status != 401 {
		t.Errorf("without a server name: %d %v", status, err)
	}
	if _, err := ask(proxy.ServerName(), w.CAPEM()); err == nil {
		t.Error("the cloud's root vouches for the proxy")
	}
	if w.Seen(KindTokenProxy) != 4 || w.Seen(KindEntraToken) != 1 || len(w.Leaks()) > 0 || len(w.ForeignHosts()) > 0 {
		t.Errorf("%d %d, leaks %v, foreign %v", w.Seen(KindTokenProxy), w.Seen(KindEntraToken), w.Leaks(), w.ForeignHosts())
	}
}
