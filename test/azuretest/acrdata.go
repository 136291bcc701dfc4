package azuretest

import (
	"net/http"
	"strings"
)

// serveData serves /v2/ and /acr/v1/. Unless the bearer token is valid and allows the request, the challenge says
// which token to fetch.
func (r *Registry) serveData(w http.ResponseWriter, req *http.Request, target target) {
	bearer, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok {
		r.challenge(w, req, target, "")
		return
	}
	claims, err := r.verify(bearer, "access_token")
	if err != nil {
		note(req, err.Error())
		r.challenge(w, req, target, "invalid_token")
		return
	}
	if target.need != nil && (claims.Access == nil || !covers(*claims.Access, *target.need)) {
		note(req, "the token doesn't allow "+target.need.String())
		r.challenge(w, req, target, "insufficient_scope")
		return
	}
	if strings.HasPrefix(req.URL.Path, v1Prefix) {
		r.serveV1(w, req, target)
		return
	}
	r.serveBackend(w, req, target)
}

func (r *Registry) serveBackend(w http.ResponseWriter, req *http.Request, target target) {
	if r.Backend != nil {
		r.Backend.ServeHTTP(w, req)
		return
	}
	r.storage.serve(w, req, target)
}

// challenge sends ACR's 401 (RFC 6750 §3; ACR docs AAD-OAuth.md). For a region, the realm is the requested host.
func (r *Registry) challenge(w http.ResponseWriter, req *http.Request, target target, problem string) {
	value := `Bearer realm="https://` + hostname(req.Host) + `/oauth2/token",service="` + r.host + `"`
	var detail any
	if target.need != nil {
		value += `,scope="` + target.need.String() + `"`
		detail = details(*target.need)
	}
	if problem != "" {
		value += `,error="` + problem + `"`
	}
	w.Header().Set("Www-Authenticate", value)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED",
		"authentication required, visit https://aka.ms/acr/authorization for more information.", detail)
}

// detail is one refused action. ACR writes the field names in capitals.
type detail struct{ Type, Name, Action string }

// details returns one entry for each action.
func details(need access) []detail {
	var out []detail
	for _, action := range need.Actions {
		out = append(out, detail{need.Type, need.Name, action})
	}
	return out
}

// A target is what a request below /v2/ refers to.
type target struct {
	repository string
	kind       string  // "manifests", "blobs", "uploads", "tags", "catalog", or "" for /v2/ itself
	reference  string  // tag, digest or upload
	need       *access // nil: any valid token will do
}

// parseTarget reads the path from its end, since repository names contain slashes (distribution specification,
// "Endpoints").
func parseTarget(req *http.Request) target {
	path := strings.TrimPrefix(req.URL.Path, "/v2/")
	switch {
	case req.URL.Path == "/v2" || path == "":
		return target{}
	case path == "_catalog":
		return target{kind: "catalog", need: &access{"registry", "catalog", []string{"*"}}}
	}
	t := target{kind: "unknown", repository: path}
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		t = target{kind: "tags", repository: name}
	} else if i := strings.LastIndex(path, "/blobs/uploads"); i > 0 {
		upload := strings.Trim(path[i+len("/blobs/uploads"):], "/")
		t = target{kind: "uploads", repository: path[:i], reference: upload}
	} else if i := strings.LastIndex(path, "/blobs/"); i > 0 {
		t = target{kind: "blobs", repository: path[:i], reference: path[i+len("/blobs/"):]}
	} else if i := strings.LastIndex(path, "/manifests/"); i > 0 {
		t = target{kind: "manifests", repository: path[:i], reference: path[i+len("/manifests/"):]}
	}
	t.need = &access{"repository", t.repository, actionsOf(req.Method, t.kind)}
	return t
}

// actionsOf returns the actions that a request needs, as in distribution's registry.
func actionsOf(method, kind string) []string {
	switch {
	case kind == "uploads":
		return []string{"pull", "push"}
	case method == http.MethodGet || method == http.MethodHead:
		return []string{"pull"}
	case method == http.MethodDelete:
		return []string{"delete"}
	}
	return []string{"pull", "push"}
}
