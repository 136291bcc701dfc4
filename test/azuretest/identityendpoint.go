package azuretest

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A contract is what a kind of managed identity endpoint requires of a request.
type contract struct {
	method, version  string
	header           string   // must be the endpoint's secret, or true if it has none
	selectors        []string // parameters that select an identity, one per request
	alwaysSent       bool     // the selector is sent even if it is empty
	soleUserAssigned bool     // a single user-assigned identity needs no selector
}

// contracts follow Microsoft Learn: "How managed identities for Azure resources work with Azure virtual machines",
// "How to use managed identities for App Service and Azure Functions", "Acquiring access tokens for Service Fabric
// applications", "Authenticate against Azure resources with Azure Arc-enabled servers"; and MSAL's requests to Azure
// ML and Cloud Shell.
var contracts = map[string]contract{
	KindIMDS: {"GET", "2018-02-01", "Metadata", []string{"client_id", "object_id", "msi_res_id"}, false, true},
	KindArc:  {"GET", "2020-06-01", "Metadata", []string{"client_id", "object_id", "msi_res_id"}, false, true},
	KindAppService: {
		"GET", "2019-08-01", "X-Identity-Header", []string{"client_id", "object_id", "mi_res_id"}, false, false,
	},
	KindServiceFabric: {"GET", "2019-07-01-preview", "Secret", nil, false, true},
	KindAzureML:       {"GET", "2017-09-01", "Secret", []string{"clientid"}, true, false},
	KindCloudShell:    {"POST", "", "Metadata", nil, false, false},
}

// An endpointRequest is a request to a managed identity endpoint that is being served.
type endpointRequest struct {
	contract
	host   *ManagedIdentityHost
	kind   string
	w      http.ResponseWriter
	r      *http.Request
	params url.Values
}

// serveIdentityEndpoint serves a request to a managed identity endpoint. It reports whether the request is one.
func (c *Cloud) serveIdentityEndpoint(w http.ResponseWriter, r *http.Request) bool {
	kind := c.endpointKind(hostname(r.Host), r.URL.Path)
	if kind == "" {
		return false
	}
	if (r.TLS != nil) != (kind == KindServiceFabric) {
		note(r, "TLS where plain HTTP is right, or the other way round")
		panic(http.ErrAbortHandler)
	}
	q := &endpointRequest{
		contract: contracts[kind], host: c.identityHost, kind: kind, w: w, r: r, params: r.URL.Query(),
	}
	if kind == KindIMDS {
		w.Header().Set("Server", "IMDS/150.870.65.1854")
	}
	if q.headers() && q.parameters() && (kind != KindArc || q.checkArcKey()) {
		q.token()
	}
	return true
}

// headers checks method and headers. A forwarded request may come from another host, and the header of another
// endpoint may contain that endpoint's secret.
func (q *endpointRequest) headers() bool {
	if q.kind == KindIMDS && q.r.URL.Path != "/metadata/identity/oauth2/token" {
		return q.refuse(http.StatusNotFound, "not_found", "Not Found")
	}
	want, missing := "true", "Required metadata header not specified"
	q.host.cloud.mu.Lock()
	if secret := q.host.secrets[q.kind]; secret != "" {
		want, missing = secret, "The secret header is missing or wrong"
	}
	q.host.cloud.mu.Unlock()
	for _, name := range []string{
		"Metadata", "X-Identity-Header", "Secret", "Authorization", "X-Forwarded-For", "Cookie",
	} {
		got := q.r.Header.Values(name)
		switch {
		case name == q.header && !slices.Equal(got, []string{want}) && want == "true":
			return q.refuse(http.StatusBadRequest, "bad_request_102", missing)
		case name == q.header && !slices.Equal(got, []string{want}):
			return q.refuse(http.StatusUnauthorized, "SecretHeaderNotFound", missing)
		case name != q.header && got != nil && !(name == "Authorization" && q.kind == KindArc):
			return q.refuse(http.StatusBadRequest, "bad_request", "Unexpected header "+name)
		}
	}
	if q.r.Method != q.method {
		return q.refuse(http.StatusMethodNotAllowed, "method_not_allowed", "Method Not Allowed")
	}
	return true
}

// parameters requires each parameter once, and no others. Those of a POST are in its body.
func (q *endpointRequest) parameters() bool {
	invalid := func(text string) bool { return q.refuse(http.StatusBadRequest, "invalid_request", text) }
	if q.method == http.MethodPost {
		if len(q.params) > 0 || q.r.ParseForm() != nil {
			return invalid("Parameters belong in the form")
		}
		q.params = q.r.PostForm
	}
	selected := 0
	for name, values := range q.params {
		switch {
		case len(values) != 1 || values[0] == "" && !(q.alwaysSent && name == q.selectors[0]):
			return invalid("Parameter '" + name + "' must be specified once")
		case slices.Contains(q.selectors, name):
			selected++
		case name != "resource" && (name != "api-version" || q.version == ""):
			return invalid("Unknown parameter '" + name + "'")
		}
	}
	switch {
	case q.params.Get("api-version") != q.version:
		return q.refuse(http.StatusBadRequest, "bad_request", "The api-version is missing or not supported")
	case !q.params.Has("resource"):
		return invalid("Required query variable 'resource' is missing")
	case selected > 1 || q.alwaysSent && selected == 0:
		return invalid("Exactly one identity must be selected")
	}
	return true
}

// token sends an access token of the selected identity.
func (q *endpointRequest) token() {
	id := q.identity()
	if id == nil {
		return
	}
	resource, tenant := q.params.Get("resource"), id.tenant
	if tenant.authority.resource(resource) == "" {
		q.refuse(http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+resource+
			" was not found in the tenant named "+tenant.id+".")
		return
	}
	expires := tenant.cloud.Now().Add(managedIdentityTokenLifetime)
	response := map[string]any{
		"access_token": id.AccessToken(resource, 0), "resource": resource, "token_type": "Bearer",
		"expires_on": strconv.FormatInt(expires.Unix(), 10),
	}
	switch q.kind {
	case KindServiceFabric:
		response["expires_on"] = expires.Unix()
	case KindAppService, KindAzureML:
		response["client_id"] = id.clientID
	default:
		seconds := strconv.Itoa(int(managedIdentityTokenLifetime/time.Second) - 1)
		issued := expires.Add(-managedIdentityTokenLifetime - backdating)
		response["client_id"], response["expires_in"], response["ext_expires_in"] = id.clientID, seconds, seconds
		response["not_before"] = strconv.FormatInt(issued.Unix(), 10)
	}
	if q.kind == KindArc { // repeats the selector
		for _, name := range q.selectors {
			if value := q.params.Get(name); value != "" {
				response[name] = value
			}
		}
	}
	writeJSON(q.w, http.StatusOK, response)
}

// identity returns the selected identity, or nil once the request is refused.
func (q *endpointRequest) identity() *ManagedIdentity {
	q.host.cloud.mu.Lock()
	assigned := slices.Clone(q.host.identities)
	q.host.cloud.mu.Unlock()
	for _, name := range q.selectors {
		value := q.params.Get(name)
		if value == "" {
			continue
		}
		for _, id := range assigned {
			if id.isNamed(name, value) {
				return id
			}
		}
		q.noIdentity()
		return nil
	}
	for _, id := range assigned {
		if id.systemAssigned {
			return id
		}
	}
	switch {
	case q.soleUserAssigned && len(assigned) == 1:
		return assigned[0]
	case q.soleUserAssigned && len(assigned) > 1:
		q.refuse(http.StatusBadRequest, "invalid_request", "Multiple user assigned identities exist, "+
			"please specify the clientId / resourceId of the identity in the token request")
	default:
		q.noIdentity()
	}
	return nil
}

func (q *endpointRequest) noIdentity() {
	switch q.kind {
	case KindServiceFabric:
		q.refuse(http.StatusNotFound, "ManagedIdentityNotFound", "Managed identity not found for the application.")
	case KindAppService, KindAzureML:
		q.refuse(http.StatusBadRequest, "",
			"No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")
	default:
		q.refuse(http.StatusBadRequest, "invalid_request", "Identity not found")
	}
}

// refuse sends an error in the endpoint's format and returns false.
func (q *endpointRequest) refuse(status int, code, text string) bool {
	note(q.r, text)
	switch q.kind {
	case KindAppService, KindAzureML:
		writeJSON(q.w, status, map[string]any{"statusCode": status, "message": text, "correlationId": newGUID()})
	case KindServiceFabric:
		detail := map[string]string{"correlationId": newGUID(), "code": code, "message": text}
		writeJSON(q.w, status, map[string]any{"error": detail})
	default:
		writeJSON(q.w, status, map[string]string{"error": code, "error_description": text})
	}
	return false
}

// checkArcKey is Azure Arc's challenge: the key is in a file that only processes authorized on this host can read.
// Each key works once.
func (q *endpointRequest) checkArcKey() bool {
	h := q.host
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	if key, ok := strings.CutPrefix(q.r.Header.Get("Authorization"), "Basic "); ok {
		file := h.keys[key]
		if file == "" {
			return q.refuse(http.StatusUnauthorized, "unauthorized", "The key is wrong or was used before")
		}
		h.keys[key] = ""
		os.Remove(file)
		return true
	}
	file, key := filepath.Join(h.keyDir, newGUID()+".key"), randomText(48)
	h.cloud.canaries.add(key)
	if err := os.WriteFile(file, []byte(key), 0o640); err != nil {
		panic("azuretest: writing Azure Arc's key: " + err.Error())
	}
	h.keys[key] = file
	q.w.Header().Set("WWW-Authenticate", "Basic realm="+file)
	return q.refuse(http.StatusUnauthorized, "unauthorized", "a challenge")
}
