package azuretest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"
)

// testKey returns a key of the minimum size, which is quick to generate.
func testKey() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 1024)) }

func testCertificate(
	name string, key *rsa.PrivateKey, parent *x509.Certificate, parentKey *rsa.PrivateKey,
) *x509.Certificate {
	template := certificateTemplate(name)
	if parent == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
		parent, parentKey = template, key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey))
	return must(x509.ParseCertificate(der))
}

func signAssertion(key *rsa.PrivateKey, header, claims map[string]any) string {
	input := segment(header) + "." + segment(claims)
	digest := sha256.Sum256([]byte(input))
	return input + "." + base64URL(must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)))
}

// present requests a token with an assertion.
func (f *fixture) present(assertion string) response {
	f.t.Helper()
	return f.tokens(f.tenant.ID(), form("grant_type", "client_credentials", "client_id", f.app.ClientID(),
		"scope", acrScope, "client_assertion_type", jwtBearer, "client_assertion", assertion))
}

// wantCode requires a refusal with an AADSTS code, or success for 0.
func wantCode(t *testing.T, a response, code int) {
	t.Helper()
	var body entraError
	got := 0
	if a.StatusCode != 200 && json.Unmarshal([]byte(a.body), &body) == nil && len(body.Codes) == 1 {
		got = body.Codes[0]
	}
	if got != code || (a.StatusCode == 200) != (code == 0) {
		t.Errorf("got %s %s, want code %d", a.Status, a.body, code)
	}
}

func TestServicePrincipal_AddCertificate(t *testing.T) {
	f := newFixture(t)
	own, other, root := testKey(), testKey(), testKey()
	authority := testCertificate("authority", root, nil, nil)
	registered := testCertificate("registered", own, nil, nil)
	issued := testCertificate("app.contoso.com", other, authority, root)
	unknown := testCertificate("unknown", other, nil, nil)
	f.app.AddCertificate(registered)
	now := f.Now()
	endpoint := "https://login.microsoftonline.com/" + f.tenant.ID()
	good := map[string]any{
		"aud": endpoint + "/oauth2/v2.0/token",
		"iss": f.app.ClientID(), "sub": f.app.ClientID(), "jti": newGUID(),
		"nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	s256 := func(c *x509.Certificate) map[string]any {
		sum := sha256.Sum256(c.Raw)
		return map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.StdEncoding.EncodeToString(sum[:])}
	}
	with := func(base map[string]any, name string, value any) map[string]any {
		m := maps.Clone(base)
		m[name] = value
		return m
	}
	chain := func(certs ...*x509.Certificate) (x5c []string) {
		for _, c := range certs {
			x5c = append(x5c, base64.StdEncoding.EncodeToString(c.Raw))
		}
		return x5c
	}
	const byDomain = "https://login.windows.net/contoso.onmicrosoft.com/oauth2/v2.0/token"
	otherCloud := "https://login.microsoftonline.us/" + f.tenant.ID() + "/oauth2/v2.0/token"
	test := func(name string, key *rsa.PrivateKey, header, claims map[string]any, code int) {
		t.Run(name, func(t *testing.T) {
			wantCode(t, f.present(signAssertion(key, header, claims)), code)
		})
	}
	header := s256(registered)
	test("good", own, header, good, 0)
	test("domain", own, header, with(good, "aud", byDomain), 0)
	test("clock skew", own, header, with(good, "nbf", now.Add(4*time.Minute).Unix()), 0)
	test("unknown certificate", other, s256(unknown), good, 700027)
	test("other signature", other, header, good, 700027)
	test("other algorithm", own, with(header, "alg", "none"), good, 700027)
	test("no thumbprint", own, map[string]any{"alg": "PS256"}, good, 700027)
	test("other application", own, header, with(good, "sub", newGUID()), 700021)
	test("other audience", own, header, with(good, "aud", endpoint), 700023)
	test("other cloud", own, header, with(good, "aud", otherCloud), 700023)
	test("no ID", own, header, with(good, "jti", ""), 50027)
	test("expired", own, header, with(good, "exp", now.Add(-6*time.Minute).Unix()), 700024)
	test("not yet valid", own, header, with(good, "nbf", now.Add(6*time.Minute).Unix()), 700024)

	issuedChain := with(s256(issued), "x5c", chain(issued, authority))
	test("chain without AddCertificateSubject", other, issuedChain, good, 700027)
	f.app.AddCertificateSubject("app.contoso.com", authority)
	test("chain", other, issuedChain, good, 0)
	test("subject without chain", other, s256(issued), good, 700027)
	test("other certificate's chain", other, with(s256(unknown), "x5c", chain(issued, authority)), good, 700027)
	test("other authority", other, with(s256(unknown), "x5c", chain(unknown)), good, 700030)
	f.app.Disable()
	test("disabled application", own, header, good, 7000112)
}

func TestServicePrincipal_AddFederatedCredential(t *testing.T) {
	f := newFixture(t)
	const url, subject = "https://oidc.prod-aks.azure.com/cluster/", "system:serviceaccount:ci:builder"
	cluster := f.AddIssuer(url)
	impostor := &Issuer{cloud: f.Cloud, url: url, signer: newSigner()}
	unknown := f.AddIssuer("https://gitlab.com")
	f.app.AddFederatedCredential(url, subject, "")
	vm := f.tenant.AddManagedIdentity("")
	f.app.AddManagedIdentityCredential(vm)
	ahead := f.AddIssuer("https://ahead.example")
	ahead.cloud = Start(t)
	ahead.cloud.AdvanceClock(time.Hour)
	f.app.AddFederatedCredential(ahead.url, subject, "")
	for _, tt := range []struct {
		name, token string
		code        int
	}{
		{"good", cluster.Token(subject, TokenExchange, time.Hour), 0},
		{"managed identity", vm.AccessToken(TokenExchange, 0), 0},
		{"other identity", f.app.AccessToken(TokenExchange, 0), 700213},
		{"managed identity's token for ACR", vm.AccessToken(acrResource, 0), 700211},
		{"unknown issuer", unknown.Token(subject, TokenExchange, time.Hour), 700211},
		{"other signature", impostor.Token(subject, TokenExchange, time.Hour), 50013},
		{"other audience", cluster.Token(subject, TokenExchangeChina, time.Hour), 700212},
		{"other subject", cluster.Token(subject+"2", TokenExchange, time.Hour), 700213},
		{"upper case", cluster.Token("System:serviceaccount:ci:builder", TokenExchange, time.Hour), 700213},
		{"expired", cluster.Token(subject, TokenExchange, -6*time.Minute), 700024},
		{"not yet valid", ahead.Token(subject, TokenExchange, time.Hour), 700024},
		{"no token", "a.b.c", 700027},
	} {
		t.Run(tt.name, func(t *testing.T) { wantCode(t, f.present(tt.token), tt.code) })
	}
	a := f.tokens(f.tenant.ID(), form("grant_type", "client_credentials", "client_id", f.app.ClientID(),
		"scope", acrScope, "client_assertion", cluster.Token(subject, TokenExchange, time.Hour)))
	wantCode(t, a, 900144) // no client_assertion_type
	if _, _, err := f.tenant.principal(vm.AccessToken(TokenExchange, 0)); err == nil {
		t.Error("a registry accepts an assertion")
	}
}

func TestGitHubActions(t *testing.T) {
	f := newFixture(t)
	github := f.AddGitHubActions()
	const subject = "repo:contoso/app:ref:refs/heads/main"
	job := github.Job(subject)
	f.app.AddFederatedCredential(GitHubIssuer, subject, "")
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
		{"wrong token", "GET", url, "Bearer x", 401},
		{"wrong scheme", "GET", url, "bearer " + job.RequestToken(), 401},
		{"unknown parameter", "GET", url + "&x=y", bearer, 400},
		{"two audiences", "GET", url + "&audience=a", bearer, 400},
		{"other path", "GET", "https://run-actions-1-azure-eastus.actions.githubusercontent.com/", bearer, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := f.send(tt.method, tt.url, "", "Authorization", tt.bearer); a.StatusCode != tt.status {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	token := f.get(url, "Authorization", bearer).field("value")
	wantCode(t, f.present(token), 0)
	f.AdvanceClock(11 * time.Minute) // the lifetime and Entra's clock skew
	wantCode(t, f.present(token), 700024)
	job.End()
	f.want(401, "GET", url, "", "Authorization", bearer)
	if f.FindCanary(token) == "" || f.FindCanary(bearer) == "" || f.Seen(KindGitHubToken) != 11 {
		t.Errorf("canaries are missing, or %d requests", f.Seen(KindGitHubToken))
	}
}

func TestAzurePipelines(t *testing.T) {
	f := newFixture(t)
	organization := f.AddAzurePipelines("contoso")
	job := organization.Job()
	connection, subject := job.AddServiceConnection("registry")
	f.app.AddFederatedCredential(organization.Issuer(), subject, "")
	base := job.RequestURL() + "?api-version=7.1&serviceConnectionId="
	url, oldVersion := base+connection, job.RequestURL()+"?api-version=7.0&serviceConnectionId="+connection
	const suppress = "X-TFS-FedAuthRedirect"
	good := []string{
		"Authorization", "Bearer " + job.RequestToken(), "Content-Type", "application/json", suppress, "Suppress",
	}
	with := func(change ...string) []string { return append(append([]string{}, good...), change...) }
	for _, tt := range []struct {
		name, method, url string
		header            []string // the last of duplicate names counts
		status            int
	}{
		{"good", "POST", url, good, 200},
		{"no content type", "POST", url, append(good[:2:2], good[4:]...), 200},
		{"GET", "GET", url, good, 405},
		{"wrong token", "POST", url, with("Authorization", "Bearer x"), 401},
		{"wrong token, not suppressed", "POST", url, with("Authorization", "Bearer x", suppress, ""), 302},
		{"not suppressed", "POST", url, with(suppress, ""), 400},
		{"other content type", "POST", url, with("Content-Type", "text/plain"), 400},
		{"other version", "POST", oldVersion, good, 400},
		{"unknown parameter", "POST", url + "&audience=x", good, 400},
		{"other connection", "POST", base + newGUID(), good, 404},
		{"other path", "POST", "https://dev.azure.com/", good, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := f.send(tt.method, tt.url, "", tt.header...); a.StatusCode != tt.status {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	wantCode(t, f.present(f.send("POST", url, "", good...).field("oidcToken")), 0)
	if got := f.Seen(KindPipelinesToken); got != 12 {
		t.Errorf("%d requests", got)
	}
}

func TestTokenProxy(t *testing.T) {
	f := newFixture(t)
	cluster := f.AddIssuer("https://oidc.prod-aks.azure.com/cluster/")
	proxy := f.AddTokenProxy()
	const subject = "system:serviceaccount:ci:builder"
	proxy.Bind(f.app, cluster, subject)
	token := cluster.Token(subject, IdentityBinding, time.Hour)
	wantCode(t, f.present(token), 700211) // without the proxy
	body := form("grant_type", "client_credentials", "client_id", f.app.ClientID(), "scope", acrScope,
		"client_assertion_type", jwtBearer, "client_assertion", token).Encode()
	tenant := "/" + f.tenant.ID()
	tokenPath, authorizePath := tenant+"/oauth2/v2.0/token", tenant+"/oauth2/v2.0/authorize"
	discovery := "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://" + DefaultAuthority +
		"/common/oauth2/v2.0/authorize"
	for _, tt := range []struct {
		name, method, path, body, serverName string
		ca                                   []byte
		status                               int // 0 for a TLS error
	}{
		{"token", "POST", tokenPath, body, proxy.ServerName(), proxy.CAPEM(), 200},
		{"discovery", "GET", discovery, "", proxy.ServerName(), proxy.CAPEM(), 200},
		{"other path", "GET", authorizePath, "", proxy.ServerName(), proxy.CAPEM(), 404},
		{"no server name", "POST", tokenPath, body, "", proxy.CAPEM(), 401},
		{"cloud's root certificate", "POST", tokenPath, body, proxy.ServerName(), f.CAPEM(), 0},
	} {
		transport := TransportTo(f.Addr(), tt.ca)
		transport.TLSClientConfig.ServerName = tt.serverName
		req := f.request(tt.method, proxy.URL()+tt.path, tt.body, "Content-Type", "application/x-www-form-urlencoded")
		req.Host = DefaultAuthority
		status := 0
		resp, err := transport.RoundTrip(req)
		if err == nil {
			status = resp.StatusCode
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
		if status != tt.status {
			t.Errorf("%s: %d %v", tt.name, status, err)
		}
	}
	viaProxy, direct := f.Seen(KindTokenProxy), f.Seen(KindEntraToken)
	if viaProxy != 4 || direct != 1 || len(f.Leaks()) > 0 || len(f.ForeignHosts()) > 0 {
		t.Errorf("%d requests, %d direct, leaks %v, foreign %v", viaProxy, direct, f.Leaks(), f.ForeignHosts())
	}
}
