package azuretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Azure's SDKs find the next page by this link, and no other way.
func TestV1Pages(t *testing.T) {
	w := newWorld(t)
	bearer := w.access(w.registry.RefreshTokenFor(w.app), "repository:team/app:pull,push,metadata_read", "repository:other:pull,push", "registry:catalog:*")
	w.pushImage(bearer, "other", "v1")
	digest := w.pushImage(bearer, "team/app", "v1")
	w.pushImage(bearer, "team/app", "v2")
	base, auth := "https://"+testHost, []string{"Authorization", "Bearer " + bearer}
	catalog := w.get(base+"/acr/v1/_catalog?api-version=2021-07-01&n=1", auth...)
	if string(catalog.body) != `{"repositories":["other"]}`+"\n" || catalog.Header.Get("Link") != `</acr/v1/_catalog?last=other&n=1&orderby=>; rel="next"` {
		t.Errorf("catalog %s %v", catalog.body, catalog.Header["Link"])
	}
	tags := w.get(base+"/acr/v1/team%2Fapp/_tags?n=1", auth...)
	wanted := `"digest":"` + digest + `"`
	if !strings.Contains(string(tags.body), wanted) || !strings.Contains(string(tags.body), `"imageName":"team/app","registry":"contoso.azurecr.io","tags":[{`) {
		t.Errorf("tags %s", tags.body)
	}
	if got := tags.Header.Get("Link"); got != `</acr/v1/team%2Fapp/_tags?last=v1&n=1&orderby=>; rel="next"` {
		t.Errorf("Link %s", got)
	}
	rest := w.get(base+"/acr/v1/team%2Fapp/_tags?last=v1&n=1&orderby=", auth...)
	if !strings.Contains(string(rest.body), `"name":"v2"`) || strings.Contains(string(rest.body), `"name":"v1"`) || rest.Header.Get("Link") != "" {
		t.Errorf("rest %s %v", rest.body, rest.Header["Link"])
	}
}

// To list takes metadata_read, whatever else a token is good for, and the
// challenge says so.
func TestV1Refused(t *testing.T) {
	w := newWorld(t)
	bearer := w.access(w.registry.RefreshTokenFor(w.app), "repository:app:pull,push,delete")
	w.pushImage(bearer, "app", "v1")
	reader := w.access(w.registry.RefreshTokenFor(w.app), "repository:gone:metadata_read")
	const metadata = `scope="repository:app:metadata_read"`
	for _, tt := range []struct {
		name, method, path, bearer string
		status                     int
		challenge                  string
	}{
		{"nobody", "GET", "app/_tags", "", 401, metadata},
		{"who may pull", "GET", "app/_tags", bearer, 401, metadata + `,error="insufficient_scope"`},
		{"who may pull, of all", "GET", "_catalog", bearer, 401, `scope="registry:catalog:*",error="insufficient_scope"`},
		{"no such repository", "GET", "gone/_tags", reader, 404, ""},
		{"a name that none can have", "GET", "Nonexistent/_tags", "", 404, ""},
		{"what isn't served", "GET", "app/_manifests", "", 404, ""},
		{"another method", "DELETE", "app/_tags", bearer, 404, ""},
	} {
		var header []string
		if tt.bearer != "" {
			header = []string{"Authorization", "Bearer " + tt.bearer}
		}
		a := w.do(w.request(tt.method, "https://"+testHost+"/acr/v1/"+tt.path, "", header...))
		if got := a.Header.Get("Www-Authenticate"); a.StatusCode != tt.status || !strings.HasSuffix(got, tt.challenge) {
			t.Errorf("%s: %s, challenge %s", tt.name, a.Status, got)
		}
	}
}

func TestV1Backend(t *testing.T) {
	w := newWorld(t)
	w.registry.Backend = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Docker-Content-Digest", "sha256:01")
		fmt.Fprint(rw, map[string]string{
			"GET /v2/_catalog": `{"repositories":["app"]}`, "GET /v2/app/tags/list": `{"name":"app","tags":["v1"]}`,
		}[r.Method+" "+r.URL.Path])
	})
	auth := []string{"Authorization", "Bearer " + w.access(w.registry.RefreshTokenFor(w.app), "repository:app:metadata_read registry:catalog:*")}
	if a := w.get("https://"+testHost+"/acr/v1/_catalog", auth...); string(a.body) != `{"repositories":["app"]}`+"\n" {
		t.Errorf("catalog %s", a.body)
	}
	if a := w.get("https://"+testHost+"/acr/v1/app/_tags", auth...); !strings.Contains(string(a.body), `"digest":"sha256:01","lastUpdateTime"`) {
		t.Errorf("tags %s", a.body)
	}
}
