package azuretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pushImage pushes a blob in two chunks, one in one piece, and a manifest.
func (f *fixture) pushImage(repo, tag string, auth ...string) (digest string) {
	f.t.Helper()
	const base = "https://" + testHost
	config, layer := `{"os":"linux"}`, "layer content"
	configDigest, layerDigest := digestOf([]byte(config), "sha512:"), digestOf([]byte(layer), "")
	uploads := base + "/v2/" + repo + "/blobs/uploads/"
	start := f.want(202, "POST", uploads+"?mount=sha256:00&from=other", "", auth...)
	location := base + start.Header.Get("Location")
	first := f.want(202, "PATCH", location, "layer ", append(auth, "Content-Range", "0-5")...)
	if got := first.Header.Get("Range"); got != "0-5" {
		f.t.Errorf("Range %q", got)
	}
	f.want(416, "PATCH", location, "x", append(auth, "Content-Range", "9-9")...)
	f.want(204, "GET", location, "", auth...)
	f.want(400, "PUT", location+"&digest="+digestOf([]byte("other"), ""), "", auth...)
	f.want(201, "PUT", location+"&digest="+layerDigest, "content", auth...)
	f.want(201, "POST", uploads+"?digest="+configDigest, config, auth...)

	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":"%s"},"layers":[{"digest":"%s"}]}`,
		configDigest, layerDigest)
	put := f.want(201, "PUT", base+"/v2/"+repo+"/manifests/"+tag, manifest,
		append(auth, "Content-Type", "application/vnd.oci.image.manifest.v1+json")...)
	return put.Header.Get("Docker-Content-Digest")
}

// All steps of a push and a pull: Entra, exchange, token, registry.
func TestCloud_push_and_pull(t *testing.T) {
	f := newFixture(t)
	result, err := msalToken(t, f.Cloud, DefaultAuthority, f.app, "planted-secret", false)
	if err != nil {
		t.Fatal(err)
	}
	refresh := f.exchange(result.AccessToken).field("refresh_token")
	token := f.acrToken(refresh, "repository:team/app:pull,push,delete registry:catalog:*")
	auth := []string{"Authorization", "Bearer " + token}
	digest := f.pushImage("team/app", "v1", auth...)
	const base = "https://" + testHost + "/v2/"

	f.want(200, "GET", base, "", auth...)
	byTag := f.want(200, "GET", base+"team/app/manifests/v1", "", auth...)
	byDigest := f.want(200, "GET", base+"team/app/manifests/"+digest, "", auth...)
	if byTag.body != byDigest.body || byTag.Header.Get("Content-Type") != "application/vnd.oci.image.manifest.v1+json" {
		t.Errorf("manifest %s %v", byTag.body, byTag.Header)
	}
	layer := base + "team/app/blobs/" + digestOf([]byte("layer content"), "")
	for _, tt := range []struct {
		method, url string
		header      []string
		status      int
		body        string
	}{
		{"GET", layer, nil, 200, "layer content"},
		{"GET", layer, []string{"Range", "bytes=6-"}, 206, "content"},
		{"HEAD", layer, nil, 200, ""},
		{"GET", base + "team/app/tags/list", nil, 200, `{"name":"team/app","tags":["v1"]}` + "\n"},
		{"GET", base + "_catalog", nil, 200, `{"repositories":["team/app"]}` + "\n"},
	} {
		a := f.want(tt.status, tt.method, tt.url, "", append(auth, tt.header...)...)
		if a.body != tt.body || tt.method == "HEAD" && a.ContentLength != 13 {
			t.Errorf("%s %s: %q, length %d", tt.method, tt.url, a.body, a.ContentLength)
		}
	}
	f.want(404, "PUT", base+"team/app/manifests/v2", `{"layers":[{"digest":"sha256:00"}]}`, auth...)
	f.want(202, "DELETE", base+"team/app/manifests/"+digest, "", auth...)
	f.want(404, "GET", base+"team/app/manifests/v1", "", auth...)
	if leaks, foreign := f.Leaks(), f.ForeignHosts(); len(leaks)+len(foreign) > 0 {
		t.Errorf("leaks %v, foreign hosts %v", leaks, foreign)
	}
}

func TestRegistry_bearer_token_refused(t *testing.T) {
	f := newFixture(t)
	refresh := f.registry.RefreshTokenFor(f.app)
	pull := f.acrToken(refresh, "repository:app:pull")
	other := f.AddRegistry("fabrikam.azurecr.io", f.tenant).
		accessToken("x", []access{{"repository", "app", []string{"pull"}}})
	for _, tt := range []struct{ name, method, path, bearer, problem string }{
		{"garbage", "GET", "app/tags/list", "x", "invalid_token"},
		{"refresh token", "GET", "app/tags/list", refresh, "invalid_token"},
		{"Entra token", "GET", "app/tags/list", f.app.AccessToken(acrResource, 0), "invalid_token"},
		{"other registry's token", "GET", "app/tags/list", other, "invalid_token"},
		{"push with pull", "POST", "app/blobs/uploads/", pull, "insufficient_scope"},
		{"delete with pull", "DELETE", "app/manifests/v1", pull, "insufficient_scope"},
		{"other repository", "GET", "other/tags/list", pull, "insufficient_scope"},
		{"catalog", "GET", "_catalog", pull, "insufficient_scope"},
	} {
		a := f.want(401, tt.method, "https://"+testHost+"/v2/"+tt.path, "", "Authorization", "Bearer "+tt.bearer)
		if got := a.Header.Get("Www-Authenticate"); !strings.HasSuffix(got, `,error="`+tt.problem+`"`) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	f.AdvanceClock(75 * time.Minute)
	f.want(401, "GET", "https://"+testHost+"/v2/app/tags/list", "", "Authorization", "Bearer "+pull)
	if f.lastWhy() != "ACR token expired" {
		t.Errorf("expired: %q", f.lastWhy())
	}
}

func TestRegistry_Backend(t *testing.T) {
	f := newFixture(t)
	f.registry.Backend = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", "sha256:01")
		fmt.Fprint(w, map[string]string{
			"GET /v2/_catalog": `{"repositories":["app"]}`, "GET /v2/app/tags/list": `{"name":"app","tags":["v1"]}`,
		}[r.Method+" "+r.URL.Path])
	})
	const base = "https://" + testHost
	f.want(401, "GET", base+"/v2/app/tags/list", "")
	auth := f.bearer("repository:app:pull,metadata_read registry:catalog:*")
	for path, want := range map[string]string{
		"/v2/app/tags/list": `{"name":"app","tags":["v1"]}`,
		"/acr/v1/_catalog":  `{"repositories":["app"]}`,
		"/acr/v1/app/_tags": `"digest":"sha256:01","lastUpdateTime"`,
	} {
		if a := f.want(200, "GET", base+path, "", auth...); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// Azure's SDKs find the next page only by the header Link.
func TestRegistry_pages(t *testing.T) {
	f := newFixture(t)
	auth := f.bearer("repository:team/app:pull,push,metadata_read", "repository:other:pull,push", "registry:catalog:*")
	var digest string
	for _, image := range []string{"team/app:v3", "other:v1", "team/app:v1", "team/app:v2"} {
		repository, tag, _ := strings.Cut(image, ":")
		digest = f.pushImage(repository, tag, auth...)
	}
	const tags, v1Tags = "/v2/team/app/tags/list", "/acr/v1/team%2Fapp/_tags"
	for _, tt := range []struct{ path, body, link string }{
		{tags + "?n=2", `"tags":["v1","v2"]`, `<` + tags + `?last=v2&n=2>; rel="next"`},
		{tags + "?n=2&last=v2", `"tags":["v3"]`, ""},
		{
			"/acr/v1/_catalog?api-version=2021-07-01&n=1", `{"repositories":["other"]}`,
			`</acr/v1/_catalog?last=other&n=1&orderby=>; rel="next"`,
		},
		{
			v1Tags + "?n=1", `"imageName":"team/app","registry":"contoso.azurecr.io","tags":[{`,
			`<` + v1Tags + `?last=v1&n=1&orderby=>; rel="next"`,
		},
		{v1Tags + "?last=v2&n=1&orderby=", `"name":"v3","signed":false}]}`, ""},
	} {
		a := f.want(200, "GET", "https://"+testHost+tt.path, "", auth...)
		if !strings.Contains(a.body, tt.body) || a.Header.Get("Link") != tt.link {
			t.Errorf("%s: %s, Link %s", tt.path, a.body, a.Header.Get("Link"))
		}
	}
	if a := f.get("https://"+testHost+v1Tags+"?n=1", auth...); !strings.Contains(a.body, `"digest":"`+digest+`"`) {
		t.Errorf("no digest %s: %s", digest, a.body)
	}
}

// Listing tags requires metadata_read, besides any other action.
func TestRegistry_serveV1_refuses(t *testing.T) {
	f := newFixture(t)
	pull := f.bearer("repository:app:pull,push,delete")
	f.pushImage("app", "v1", pull...)
	reader := f.bearer("repository:gone:metadata_read")
	const metadata = `scope="repository:app:metadata_read"`
	for _, tt := range []struct {
		name, method, path string
		bearer             []string
		status             int
		challenge          string
	}{
		{"no token", "GET", "app/_tags", nil, 401, metadata},
		{"pull only", "GET", "app/_tags", pull, 401, metadata + `,error="insufficient_scope"`},
		{"catalog", "GET", "_catalog", pull, 401, `scope="registry:catalog:*",error="insufficient_scope"`},
		{"unknown repository", "GET", "gone/_tags", reader, 404, ""},
		{"invalid repository name", "GET", "Nonexistent/_tags", nil, 404, ""},
		{"unknown path", "GET", "app/_manifests", nil, 404, ""},
		{"other method", "DELETE", "app/_tags", pull, 404, ""},
	} {
		a := f.want(tt.status, tt.method, "https://"+testHost+"/acr/v1/"+tt.path, "", tt.bearer...)
		if got := a.Header.Get("Www-Authenticate"); !strings.HasSuffix(got, tt.challenge) {
			t.Errorf("%s: challenge %s", tt.name, got)
		}
	}
}
