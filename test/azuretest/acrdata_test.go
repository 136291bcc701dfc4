package azuretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// All steps of a push and a pull: Entra, exchange, token, registry. A blob is pushed in two chunks, one in one piece.
func TestCloud_push_and_pull(t *testing.T) {
	f := newFixture(t)
	refresh := f.exchange(f.tokens(f.tenant.ID(), f.withSecret()).field("access_token")).field("refresh_token")
	auth := []string{"Authorization", "Bearer " + f.acrToken(refresh, "repository:team/app:pull,push")}
	const host, base = "https://" + testHost, "https://" + testHost + "/v2/team/app/"
	f.want(200, "GET", host+"/v2/", "", auth...)

	config, layer := `{"os":"linux"}`, "layer content"
	configDigest, layerDigest := digestOf([]byte(config)), digestOf([]byte(layer))
	start := f.want(202, "POST", base+"blobs/uploads/?mount=sha256:00&from=other", "", auth...)
	location := host + start.Header.Get("Location")
	if got := f.want(202, "PATCH", location, "layer ", auth...).Header.Get("Range"); got != "0-5" {
		t.Errorf("Range %q", got)
	}
	f.want(400, "PUT", location+"&digest="+digestOf([]byte("other")), "", auth...)
	f.want(201, "PUT", location+"&digest="+layerDigest, "content", auth...)
	f.want(404, "PATCH", location, "more", auth...)
	f.want(201, "POST", base+"blobs/uploads/?digest="+configDigest, config, auth...)
	manifest := fmt.Sprintf(`{"config":{"digest":"%s"},"layers":[{"digest":"%s"}]}`, configDigest, layerDigest)
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	put := f.want(201, "PUT", base+"manifests/v1", manifest, append(auth, "Content-Type", mediaType)...)
	digest := put.Header.Get("Docker-Content-Digest")
	f.want(404, "PUT", base+"manifests/v2", `{"config":{"digest":"sha256:00"}}`, auth...)
	f.want(400, "PUT", base+"manifests/"+configDigest, manifest, auth...)

	for _, tt := range []struct {
		method, path string
		header       []string
		status       int
		mediaType    string
		body         string
	}{
		{"GET", "manifests/v1", nil, 200, mediaType, manifest},
		{"GET", "manifests/" + digest, nil, 200, mediaType, manifest},
		{"GET", "blobs/" + layerDigest, nil, 200, "application/octet-stream", layer},
		{"GET", "blobs/" + layerDigest, []string{"Range", "bytes=6-"}, 206, "application/octet-stream", "content"},
		{"HEAD", "blobs/" + layerDigest, nil, 200, "application/octet-stream", ""},
	} {
		a := f.want(tt.status, tt.method, base+tt.path, "", append(auth, tt.header...)...)
		if a.body != tt.body || a.Header.Get("Content-Type") != tt.mediaType || a.ContentLength < 1 {
			t.Errorf("%s %s: %q, %v, length %d", tt.method, tt.path, a.body, a.Header, a.ContentLength)
		}
	}
	f.want(404, "GET", base+"manifests/v2", "", auth...)
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
	const app = `{"name":"team/app","tags":["v3","v1","v2"]}`
	f.registry.Backend = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", "sha256:01")
		fmt.Fprint(w, map[string]string{
			"GET /v2/_catalog": `{"repositories":["team/app","other"]}`, "GET /v2/team/app/tags/list": app,
		}[r.Method+" "+r.URL.Path])
	})
	f.want(401, "GET", "https://"+testHost+"/v2/team/app/tags/list", "")
	auth := f.bearer("repository:team/app:pull,metadata_read registry:catalog:*")
	const catalog, tags = "/acr/v1/_catalog?api-version=2021-07-01", "/acr/v1/team%2Fapp/_tags"
	// Azure's SDKs find the next page only by the header Link.
	for _, tt := range []struct{ path, body, link string }{
		{"/v2/team/app/tags/list", app, ""},
		{catalog, `{"repositories":["other","team/app"]}`, ""},
		{catalog + "&n=1", `{"repositories":["other"]}`, `</acr/v1/_catalog?last=other&n=1&orderby=>; rel="next"`},
		{
			tags + "?n=1", `"imageName":"team/app","registry":"contoso.azurecr.io","tags":[{`,
			`<` + tags + `?last=v1&n=1&orderby=>; rel="next"`,
		},
		{tags + "?n=1", `"digest":"sha256:01","lastUpdateTime"`, `<` + tags + `?last=v1&n=1&orderby=>; rel="next"`},
		{tags + "?last=v2&n=1&orderby=", `"name":"v3","signed":false}]}`, ""},
	} {
		a := f.want(200, "GET", "https://"+testHost+tt.path, "", auth...)
		if !strings.Contains(a.body, tt.body) || a.Header.Get("Link") != tt.link {
			t.Errorf("%s: %s, Link %s", tt.path, a.body, a.Header.Get("Link"))
		}
	}
}

// Listing tags requires metadata_read, besides any other action.
func TestRegistry_serveV1_refuses(t *testing.T) {
	f := newFixture(t)
	pull := f.bearer("repository:app:pull,push,delete")
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
