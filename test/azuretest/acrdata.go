package azuretest

import (
	"net/http"
	"strings"
)

// serveData guards /v2/ and /acr/v1/: the bearer token must be good and cover the
// request, else the challenge says what to fetch.
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
		note(req, "the token doesn't cover "+target.need.String())
		r.challenge(w, req, target, "insufficient_scope")
		return
	}
	if strings.HasPrefix(req.URL.Path, v1Prefix) {
		r.serveV1(w, req, target)
		return
	}
	if r.Backend != nil {
		r.Backend.ServeHTTP(w, req)
		return
	}
	r.memory.serve(w, req, target)
}

// challenge is ACR's 401 (RFC 6750 §3; ACR docs AAD-OAuth.md). For a region, the
// realm is the host that was asked.
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

// detail is one action that was refused, in the capitals that ACR uses.
type detail struct{ Type, Name, Action string }

// details lists one entry for each action.
func details(need access) []detail {
	var out []detail
	for _, action := range need.Actions {
		out = append(out, detail{need.Type, need.Name, action})
	}
	return out
}

// A target is what a request below /v2/ is about.
type target struct {
	repository string
	kind       string // "manifests", "blobs", "uploads", "tags", "catalog", or "" for /v2/ itself
	reference  string // tag, digest or upload
	need       *access
}

// parseTarget reads the path from its end, since repositories have slashes in
// their names (distribution specification, "Endpoints").
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
		t = target{kind: "uploads", repository: path[:i], reference: strings.Trim(path[i+len("/blobs/uploads"):], "/")}
	} else if i := strings.LastIndex(path, "/blobs/"); i > 0 {
		t = target{kind: "blobs", repository: path[:i], reference: path[i+len("/blobs/"):]}
	} else if i := strings.LastIndex(path, "/manifests/"); i > 0 {
		t = target{kind: "manifests", repository: path[:i], reference: path[i+len("/manifests/"):]}
	}
	t.need = &access{"repository", t.repository, actionsOf(req.Method, t.kind)}
	return t
}

// actionsOf is what a request takes, as distribution's registry has it.
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
