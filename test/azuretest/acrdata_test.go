package azuretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pushImage pushes a blob in two chunks, one in one piece, and a manifest.
func (w *world) pushImage(bearer, repo, tag string) (digest string) {
	w.t.Helper()
	base := "https://" + testHost
	auth := []string{"Authorization", "Bearer " + bearer}
	config, layer := []byte(`{"os":"linux"}`), []byte("layer content")
	start := w.do(w.request("POST", base+"/v2/"+repo+"/blobs/uploads/?mount=sha256:00&from=other", "", auth...))
	w.want(start, 202)
	first := w.do(w.request("PATCH", base+start.Header.Get("Location"), "layer ", append(auth, "Content-Range", "0-5")...))
	w.want(first, 202)
	if got := first.Header.Get("Range"); got != "0-5" {
		w.t.Errorf("Range %q", got)
	}
	w.want(w.do(w.request("PATCH", base+first.Header.Get("Location"), "x", append(auth, "Content-Range", "9-9")...)), 416)
	w.want(w.do(w.request("GET", base+first.Header.Get("Location"), "", auth...)), 204)
	wrong := w.request("PUT", base+first.Header.Get("Location")+"&digest="+digestOf([]byte("other"), ""), "", auth...)
	w.want(w.do(wrong), 400)
	w.want(w.do(w.request("PUT", base+first.Header.Get("Location")+"&digest="+digestOf(layer, ""), "content", auth...)), 201)
	w.want(w.do(w.request("POST", base+"/v2/"+repo+"/blobs/uploads/?digest="+digestOf(config, "sha512:"), string(config), auth...)), 201)

	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":"%s"},"layers":[{"digest":"%s"}]}`, digestOf(config, "sha512:"), digestOf(layer, ""))
	put := w.do(w.request("PUT", base+"/v2/"+repo+"/manifests/"+tag, manifest, append(auth, "Content-Type", "application/vnd.oci.image.manifest.v1+json")...))
	w.want(put, 201)
	return put.Header.Get("Docker-Content-Digest")
}

func (w *world) want(a answer, status int) {
	w.t.Helper()
	if a.StatusCode != status {
		w.t.Fatalf("%s %s: %s, want %d: %s", a.Request.Method, a.Request.URL, a.Status, status, a.body)
	}
}

// The whole way of a push and a pull: Entra, exchange, token, registry.
func TestPushAndPull(t *testing.T) {
	w := newWorld(t)
	result, err := msalToken(t, w.Cloud, DefaultAuthority, w.app, "planted-secret", false)
	if err != nil {
		t.Fatal(err)
	}
	refresh := w.exchange(result.AccessToken).field("refresh_token")
	bearer := w.access(refresh, "repository:team/app:pull,push,delete registry:catalog:*")
	auth := []string{"Authorization", "Bearer " + bearer}
	digest := w.pushImage(bearer, "team/app", "v1")
	base := "https://" + testHost + "/v2/"

	if a := w.get(base, auth...); a.StatusCode != 200 {
		t.Errorf("ping: %s", a.Status)
	}
	byTag, byDigest := w.get(base+"team/app/manifests/v1", auth...), w.get(base+"team/app/manifests/"+digest, auth...)
	if string(byTag.body) != string(byDigest.body) || byTag.Header.Get("Content-Type") != "application/vnd.oci.image.manifest.v1+json" {
		t.Errorf("manifest %s %v", byTag.body, byTag.Header)
	}
	layer := digestOf([]byte("layer content"), "")
	if a := w.get(base+"team/app/blobs/"+layer, auth...); string(a.body) != "layer content" {
		t.Errorf("blob %s %q", a.Status, a.body)
	}
	if a := w.get(base+"team/app/blobs/"+layer, append(auth, "Range", "bytes=6-")...); a.StatusCode != 206 || string(a.body) != "content" {
		t.Errorf("range %s %q", a.Status, a.body)
	}
	if a := w.do(w.request("HEAD", base+"team/app/blobs/"+layer, "", auth...)); a.StatusCode != 200 || a.ContentLength != 13 {
		t.Errorf("HEAD %s %d", a.Status, a.ContentLength)
	}
	if a := w.get(base+"team/app/tags/list", auth...); string(a.body) != `{"name":"team/app","tags":["v1"]}`+"\n" {
		t.Errorf("tags %s", a.body)
	}
	if a := w.get(base+"_catalog", auth...); string(a.body) != `{"repositories":["team/app"]}`+"\n" {
		t.Errorf("catalog %s", a.body)
	}
	w.want(w.do(w.request("PUT", base+"team/app/manifests/v2", `{"layers":[{"digest":"sha256:00"}]}`, auth...)), 404)
	w.want(w.do(w.request("DELETE", base+"team/app/manifests/"+digest, "", auth...)), 202)
	w.want(w.get(base+"team/app/manifests/v1", auth...), 404)
	if leaks, foreign := w.Leaks(), w.ForeignHosts(); len(leaks)+len(foreign) > 0 {
		t.Errorf("leaks %v, foreign hosts %v", leaks, foreign)
	}
}

func TestBearerRefused(t *testing.T) {
	w := newWorld(t)
	refresh := w.registry.RefreshTokenFor(w.app)
	pull := w.access(refresh, "repository:app:pull")
	fabrikam := w.AddRegistry("fabrikam.azurecr.io", w.tenant)
	tests := []struct{ name, method, path, bearer, problem string }{
		{"garbage", "GET", "app/tags/list", "x", "invalid_token"},
		{"a refresh token", "GET", "app/tags/list", refresh, "invalid_token"},
		{"an Entra token", "GET", "app/tags/list", w.app.AccessToken(acrResource, 0), "invalid_token"},
		{"other registry's", "GET", "app/tags/list", fabrikam.accessToken("x", []access{{"repository", "app", []string{"pull"}}}), "invalid_token"},
		{"pull doesn't push", "POST", "app/blobs/uploads/", pull, "insufficient_scope"},
		{"pull doesn't delete", "DELETE", "app/manifests/v1", pull, "insufficient_scope"},
		{"other repository", "GET", "other/tags/list", pull, "insufficient_scope"},
		{"catalog", "GET", "_catalog", pull, "insufficient_scope"},
	}
	for _, tt := range tests {
		a := w.do(w.request(tt.method, "https://"+testHost+"/v2/"+tt.path, "", "Authorization", "Bearer "+tt.bearer))
		if a.StatusCode != 401 || !strings.HasSuffix(a.Header.Get("Www-Authenticate"), `,error="`+tt.problem+`"`) {
			t.Errorf("%s: %s %s", tt.name, a.Status, a.Header.Get("Www-Authenticate"))
		}
	}
	w.AdvanceClock(75 * time.Minute)
	a := w.get("https://"+testHost+"/v2/app/tags/list", "Authorization", "Bearer "+pull)
	if a.StatusCode != 401 || w.lastWhy() != "ACR token expired" {
		t.Errorf("expired: %s %q", a.Status, w.lastWhy())
	}
}

func TestBackend(t *testing.T) {
	w := newWorld(t)
	w.registry.Backend = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "backend: ", r.URL.Path) })
	if a := w.get("https://" + testHost + "/v2/app/tags/list"); a.StatusCode != 401 {
		t.Errorf("without token: %s", a.Status)
	}
	bearer := w.access(w.registry.RefreshTokenFor(w.app), "repository:app:pull")
	if a := w.get("https://"+testHost+"/v2/app/tags/list", "Authorization", "Bearer "+bearer); string(a.body) != "backend: /v2/app/tags/list" {
		t.Errorf("%s %s", a.Status, a.body)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	bearer := w.access(w.registry.RefreshTokenFor(w.app), "repository:app:pull,push")
	for _, tag := range []string{"c", "a", "b"} {
		w.pushImage(bearer, "app", tag)
	}
	a := w.get("https://"+testHost+"/v2/app/tags/list?n=2", "Authorization", "Bearer "+bearer)
	if !strings.Contains(string(a.body), `["a","b"]`) || a.Header.Get("Link") != `</v2/app/tags/list?last=b&n=2>; rel="next"` {
		t.Errorf("%s %v", a.body, a.Header["Link"])
	}
	a = w.get("https://"+testHost+"/v2/app/tags/list?n=2&last=b", "Authorization", "Bearer "+bearer)
	if !strings.Contains(string(a.body), `["c"]`) || a.Header.Get("Link") != "" {
		t.Errorf("%s %v", a.body, a.Header["Link"])
	}
}
