package azuretest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// v1Prefix begins the paths of ACR's own API, with which az and Azure's SDKs list
// what a registry has (azure-rest-api-specs, containerregistry.json of the data
// plane, version 2021-07-01). Answers and refusals are those of the recordings in
// azure-sdk-for-js and azure-sdk-for-python.
const v1Prefix = "/acr/v1/"

// repositoryName is the distribution specification's grammar.
var repositoryName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// v1Target reads a path of that API; ok is false for whatever isn't served here,
// which is 404 before anybody is asked for a token. A repository's slashes may be
// escaped, as the SDKs have them.
func v1Target(req *http.Request) (t target, ok bool) {
	path, ok := strings.CutPrefix(req.URL.Path, v1Prefix)
	if !ok || req.Method != http.MethodGet {
		return target{}, false
	}
	if path == "_catalog" {
		return target{kind: "catalog", need: &access{"registry", "catalog", []string{"*"}}}, true
	}
	name, ok := strings.CutSuffix(path, "/_tags")
	if !ok || !repositoryName.MatchString(name) {
		return target{}, false
	}
	return target{kind: "tags", repository: name, need: &access{"repository", name, []string{"metadata_read"}}}, true
}

// serveV1 answers a request whose token is good for it.
func (r *Registry) serveV1(w http.ResponseWriter, req *http.Request, t target) {
	path := "/v2/_catalog"
	if t.kind == "tags" {
		path = "/v2/" + t.repository + "/tags/list"
	}
	inner := r.behind(req.Context(), http.MethodGet, path)
	if inner.status != http.StatusOK {
		w.Header().Set("Content-Type", inner.header.Get("Content-Type"))
		w.WriteHeader(inner.status)
		w.Write(inner.body.Bytes())
		return
	}
	var all struct{ Repositories, Tags []string }
	if err := json.Unmarshal(inner.body.Bytes(), &all); err != nil {
		panic("azuretest: what is behind /v2/ lists in a form of its own: " + err.Error())
	}
	if t.kind == "catalog" {
		writeJSON(w, http.StatusOK, map[string]any{"repositories": v1Page(w, req, all.Repositories)})
		return
	}
	tags := []map[string]any{}
	for _, name := range v1Page(w, req, all.Tags) {
		tags = append(tags, r.v1Tag(req.Context(), t.repository, name))
	}
	writeJSON(w, http.StatusOK, map[string]any{"registry": r.host, "imageName": t.repository, "tags": tags})
}

// v1Tag describes a tag. When it was made isn't kept: it is as old as the answer.
func (r *Registry) v1Tag(ctx context.Context, repository, name string) map[string]any {
	head := r.behind(ctx, http.MethodHead, "/v2/"+repository+"/manifests/"+name)
	now := r.cloud.Now().UTC().Format("2006-01-02T15:04:05.0000000Z")
	return map[string]any{
		"name": name, "digest": head.header.Get("Docker-Content-Digest"),
		"createdTime": now, "lastUpdateTime": now, "signed": false,
		"changeableAttributes": map[string]bool{"deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true},
	}
}

// behind asks what stands behind /v2/, where nobody needs a token any more.
func (r *Registry) behind(ctx context.Context, method, path string) *capture {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+r.host+path, http.NoBody)
	if err != nil {
		panic("azuretest: " + err.Error())
	}
	// Every type that a tag may have: distribution's registry looks at Accept.
	req.Header["Accept"] = []string{
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	}
	answer := &capture{header: http.Header{}}
	if r.Backend != nil {
		r.Backend.ServeHTTP(answer, req)
	} else {
		r.memory.serve(answer, req, parseTarget(req))
	}
	return answer
}

// v1Page is page with this API's link: the path as it was asked for, and an
// order, though it is empty.
func v1Page(w http.ResponseWriter, req *http.Request, all []string) []string {
	all = page(w, req, slices.Clone(all))
	if w.Header().Get("Link") != "" {
		query := req.URL.Query()
		next := url.Values{"n": {query.Get("n")}, "last": {all[len(all)-1]}, "orderby": {query.Get("orderby")}}
		w.Header().Set("Link", "<"+req.URL.EscapedPath()+"?"+next.Encode()+`>; rel="next"`)
	}
	return all
}
