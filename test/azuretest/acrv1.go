package azuretest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// v1Prefix starts the paths of ACR's own API, with which az and Azure's SDKs list repositories and tags
// (azure-rest-api-specs, containerregistry.json of the data plane, version 2021-07-01). Responses follow the
// recordings in azure-sdk-for-js and azure-sdk-for-python. Only a Backend has lists.
const v1Prefix = "/acr/v1/"

// repositoryName is the grammar of the distribution specification.
var repositoryName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// v1Target reads a path of that API. ok is false for a path that isn't served: it is 404 even without a token. The
// SDKs escape the slashes of repository names.
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
	need := &access{"repository", name, []string{"metadata_read"}}
	return target{kind: "tags", repository: name, need: need}, true
}

// serveV1 serves a request whose token allows it.
func (r *Registry) serveV1(w http.ResponseWriter, req *http.Request, t target) {
	path := "/v2/_catalog"
	if t.kind == "tags" {
		path = "/v2/" + t.repository + "/tags/list"
	}
	inner := r.backendRequest(req.Context(), http.MethodGet, path)
	if inner.status != http.StatusOK {
		w.Header().Set("Content-Type", inner.header.Get("Content-Type"))
		w.WriteHeader(inner.status)
		w.Write(inner.body.Bytes())
		return
	}
	var all struct{ Repositories, Tags []string }
	if err := json.Unmarshal(inner.body.Bytes(), &all); err != nil {
		panic("azuretest: the backend's list is not the distribution specification's: " + err.Error())
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

// v1Tag describes a tag. Creation times aren't stored: it is as old as the response.
func (r *Registry) v1Tag(ctx context.Context, repository, name string) map[string]any {
	head := r.backendRequest(ctx, http.MethodHead, "/v2/"+repository+"/manifests/"+name)
	now := r.cloud.Now().UTC().Format("2006-01-02T15:04:05.0000000Z")
	return map[string]any{
		"name": name, "digest": head.header.Get("Docker-Content-Digest"),
		"createdTime": now, "lastUpdateTime": now, "signed": false,
		"changeableAttributes": map[string]bool{
			"deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true,
		},
	}
}

// backendRequest sends a request to the backend of /v2/, which needs no token.
func (r *Registry) backendRequest(ctx context.Context, method, path string) *capture {
	req := must(http.NewRequestWithContext(ctx, method, "https://"+r.host+path, http.NoBody))
	// Every type that a tag may have: distribution's registry checks Accept.
	req.Header["Accept"] = []string{
		"application/vnd.oci.image.manifest.v1+json",
		"application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json",
		"application/vnd.docker.distribution.manifest.list.v2+json",
	}
	response := &capture{header: http.Header{}}
	r.serveBackend(response, req, parseTarget(req))
	return response
}

// v1Page sorts a list, returns the part that n and last select, and links to the next one. The link has the path as
// requested, and an order, even if it is empty.
func v1Page(w http.ResponseWriter, req *http.Request, all []string) []string {
	all = append([]string{}, all...) // clients expect a list, not null
	slices.Sort(all)
	query := req.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(all, last)
		if found {
			i++
		}
		all = all[i:]
	}
	if n, err := strconv.Atoi(query.Get("n")); err == nil && n > 0 && n < len(all) {
		all = all[:n]
		next := url.Values{"n": {query.Get("n")}, "last": {all[n-1]}, "orderby": {query.Get("orderby")}}
		w.Header().Set("Link", "<"+req.URL.EscapedPath()+"?"+next.Encode()+`>; rel="next"`)
	}
	return all
}
