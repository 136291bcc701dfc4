package azuretest

import (
	"net/http"
	"strconv"
	"strings"
)

// acrError is the error body of the distribution specification, of which ACR uses one entry.
type acrError struct {
	Errors [1]acrErrorEntry `json:"errors"`
}

type acrErrorEntry struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`
}

// maxForm is the limit for a form. Azure/azure-sdk-for-python issue 21957 shows that there is one; its size isn't
// published.
const maxForm = 16 << 10

// serve responds as the registry.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	r.headers(w)
	if ip := r.firewallIP(); ip != "" {
		note(req, "firewall")
		refuse(w, http.StatusForbidden, "DENIED", "client with IP '"+ip+"' is not allowed access. "+
			"Refer https://aka.ms/acr/firewall to grant access. CorrelationId: "+correlationID(w), nil)
		return
	}
	switch path := req.URL.Path; {
	case strings.HasPrefix(path, "/oauth2/"):
		r.serveOAuth(w, req)
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		r.serveData(w, req, parseTarget(req))
	case strings.HasPrefix(path, v1Prefix):
		if t, ok := v1Target(req); ok {
			r.serveData(w, req, t)
			return
		}
		http.NotFound(w, req)
	default:
		http.NotFound(w, req)
	}
}

// headers sets what ACR sends with every response, repeated lines included: a client that reads only the first line
// has a bug.
func (r *Registry) headers(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Server", "openresty")
	h.Set("Docker-Distribution-Api-Version", "registry/2.0")
	h.Set("X-Ms-Correlation-Request-Id", newGUID())
	h["Strict-Transport-Security"] = []string{
		"max-age=31536000; includeSubDomains", "max-age=31536000; includeSubDomains",
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h["Access-Control-Expose-Headers"] = []string{
		"Docker-Content-Digest", "WWW-Authenticate", "Link", "X-Ms-Correlation-Request-Id",
	}
}

// correlationID returns the ID of the response's header, which error texts repeat.
func correlationID(w http.ResponseWriter) string {
	return w.Header().Get("X-Ms-Correlation-Request-Id")
}

// firewallIP returns the client address to refuse, or "" without a firewall.
func (r *Registry) firewallIP() (ip string) {
	r.cloud.locked(func() { ip = r.firewall })
	return ip
}

// refuse sends an error in ACR's format. A nil detail is omitted, as the endpoints under /oauth2/ do.
func refuse(w http.ResponseWriter, status int, code, message string, detail any) {
	writeJSON(w, status, acrError{[1]acrErrorEntry{{code, message, detail}}})
}

// unauthorized sends the 401 of /oauth2/, which has one text for no role, wrong audience, other tenant and expired
// token. Only the request's record says which.
func unauthorized(w http.ResponseWriter, req *http.Request, why string) {
	note(req, why)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required, visit "+
		"https://aka.ms/acr/authorization for more information. CorrelationId: "+correlationID(w), nil)
}

// badRequest sends a 400. ACR's exact text isn't known.
func badRequest(w http.ResponseWriter, req *http.Request, why string) {
	note(req, why)
	refuse(w, http.StatusBadRequest, "BAD_REQUEST", why+". CorrelationId: "+correlationID(w), nil)
}

// serveOAuth serves the two endpoints that issue tokens.
func (r *Registry) serveOAuth(w http.ResponseWriter, req *http.Request) {
	exchange := req.URL.Path == "/oauth2/exchange" && req.Method == http.MethodPost
	token := req.URL.Path == "/oauth2/token" && (req.Method == http.MethodPost || req.Method == http.MethodGet)
	if !exchange && !token {
		http.NotFound(w, req) // also GET /oauth2/exchange: Azure/acr issue 166
		return
	}
	if retryAfter, ok := r.throttled(); ok {
		note(req, "throttled")
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "too many requests", nil)
		return
	}
	req.Body = http.MaxBytesReader(w, req.Body, maxForm)
	if err := req.ParseForm(); err != nil {
		r.badForm(w, req, err)
		return
	}
	if exchange {
		r.exchange(w, req)
		return
	}
	r.token(w, req)
}

// badForm refuses a form that is too long, as with a token full of group claims, or malformed.
func (r *Registry) badForm(w http.ResponseWriter, req *http.Request, err error) {
	if _, ok := err.(*http.MaxBytesError); ok {
		note(req, "form longer than "+strconv.Itoa(maxForm))
		http.Error(w, "Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	badRequest(w, req, "malformed form")
}

// sendToken responds in chunks, as ACR does: no Content-Length.
func sendToken(w http.ResponseWriter, tokens map[string]string) {
	w.Header().Set("X-Ms-Ratelimit-Remaining-Calls-Per-Second", "166.533333")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	w.Write(mustJSON(tokens))
}
