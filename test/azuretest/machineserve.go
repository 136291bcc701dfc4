package azuretest

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A contract is what one kind of endpoint asks of a request.
type contract struct {
	method, version string
	header          string   // must have the endpoint's secret, or true where it has none
	selectors       []string // parameters that choose an identity, one at a time
	always          bool     // the selector is sent even when it is empty
	lone            bool     // a user-assigned identity that is the only one needs no choosing
}

// contracts is a table, after Microsoft Learn: "How managed identities for Azure
// resources work with Azure virtual machines", "How to use managed identities for
// App Service and Azure Functions", "Acquiring access tokens for Service Fabric
// applications", "Authenticate against Azure resources with Azure Arc-enabled
// servers"; and after what MSAL sends to Azure ML and Cloud Shell.
var contracts = map[string]contract{
	KindIMDS:          {"GET", "2018-02-01", "Metadata", []string{"client_id", "object_id", "msi_res_id"}, false, true},
	KindArc:           {"GET", "2020-06-01", "Metadata", []string{"client_id", "object_id", "msi_res_id"}, false, true},
	KindAppService:    {"GET", "2019-08-01", "X-Identity-Header", []string{"client_id", "object_id", "mi_res_id"}, false, false},
	KindServiceFabric: {"GET", "2019-07-01-preview", "Secret", nil, false, true},
	KindAzureML:       {"GET", "2017-09-01", "Secret", []string{"clientid"}, true, false},
	KindCloudShell:    {"POST", "", "Metadata", nil, false, false},
}

// A machineRequest is one request to an endpoint, while it is answered.
type machineRequest struct {
	contract
	machine *Machine
	kind    string
	w       http.ResponseWriter
	r       *http.Request
	params  url.Values
}

// serveMachine answers for the machine, if the request is for one of its
// endpoints.
func (c *Cloud) serveMachine(w http.ResponseWriter, r *http.Request) bool {
	kind := c.machineKind(hostname(r.Host), r.URL.Path)
	if kind == "" {
		return false
	}
	if (r.TLS != nil) != (kind == KindServiceFabric) {
		note(r, "TLS where there is none, or none where there is")
		panic(http.ErrAbortHandler)
	}
	q := &machineRequest{contract: contracts[kind], machine: c.machine, kind: kind, w: w, r: r, params: r.URL.Query()}
	if kind == KindIMDS {
		w.Header().Set("Server", "IMDS/150.870.65.1854")
	}
	if q.headers() && q.parameters() && (kind != KindArc || q.key()) {
		q.token()
	}
	return true
}

// headers checks method and headers. A forwarded request may come from outside
// the machine, and a header that belongs to another endpoint is a secret in the
// wrong place.
func (q *machineRequest) headers() bool {
	if q.kind == KindIMDS && q.r.URL.Path != "/metadata/identity/oauth2/token" {
		return q.refuse(http.StatusNotFound, "not_found", "Not Found")
	}
	want, missing := "true", "Required metadata header not specified"
	q.machine.cloud.mu.Lock()
	if secret := q.machine.secrets[q.kind]; secret != "" {
		want, missing = secret, "The secret header is missing or wrong"
	}
	q.machine.cloud.mu.Unlock()
	for _, name := range []string{"Metadata", "X-Identity-Header", "Secret", "Authorization", "X-Forwarded-For", "Cookie"} {
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

// parameters wants each once and no others. Those of a POST are in its body.
func (q *machineRequest) parameters() bool {
	if q.method == http.MethodPost {
		if len(q.params) > 0 || q.r.ParseForm() != nil {
			return q.refuse(http.StatusBadRequest, "invalid_request", "Parameters belong into the form")
		}
		q.params = q.r.PostForm
	}
	chosen := 0
	for name, values := range q.params {
		switch {
		case len(values) != 1 || values[0] == "" && !(q.always && name == q.selectors[0]):
			return q.refuse(http.StatusBadRequest, "invalid_request", "Parameter '"+name+"' must be specified once")
		case slices.Contains(q.selectors, name):
			chosen++
		case name != "resource" && (name != "api-version" || q.version == ""):
			return q.refuse(http.StatusBadRequest, "invalid_request", "Unknown parameter '"+name+"'")
		}
	}
	switch {
	case q.params.Get("api-version") != q.version:
		return q.refuse(http.StatusBadRequest, "bad_request", "The api-version is missing or not supported")
	case !q.params.Has("resource"):
		return q.refuse(http.StatusBadRequest, "invalid_request", "Required query variable 'resource' is missing")
	case chosen > 1 || q.always && chosen == 0:
		return q.refuse(http.StatusBadRequest, "invalid_request", "One identity must be chosen")
	}
	return true
}

// token finds the identity and answers with a token for it.
func (q *machineRequest) token() {
	id := q.identity()
	if id == nil {
		return
	}
	resource, tenant := q.params.Get("resource"), id.tenant
	if tenant.authority.resource(resource) == "" && resource != tenant.ExchangeAudience() {
		q.refuse(http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+resource+" was not found in the tenant named "+tenant.id+".")
		return
	}
	expires := tenant.cloud.Now().Add(machineLife)
	answer := map[string]any{
		"access_token": id.AccessToken(resource, 0), "resource": resource, "token_type": "Bearer",
		"expires_on": strconv.FormatInt(expires.Unix(), 10),
	}
	switch q.kind {
	case KindServiceFabric:
		answer["expires_on"] = expires.Unix()
	case KindAppService, KindAzureML:
		answer["client_id"] = id.clientID
	default:
		seconds := strconv.Itoa(int(machineLife/time.Second) - 1)
		answer["client_id"], answer["expires_in"], answer["ext_expires_in"] = id.clientID, seconds, seconds
		answer["not_before"] = strconv.FormatInt(expires.Add(-machineLife-backdating).Unix(), 10)
	}
	if q.kind == KindArc { // confirms whom it answers for
		for _, name := range q.selectors {
			if value := q.params.Get(name); value != "" {
				answer[name] = value
			}
		}
	}
	writeJSON(q.w, http.StatusOK, answer)
}

// identity is who is meant, or nil once the request is refused.
func (q *machineRequest) identity() *ManagedIdentity {
	q.machine.cloud.mu.Lock()
	all := slices.Clone(q.machine.identities)
	q.machine.cloud.mu.Unlock()
	for _, name := range q.selectors {
		value := q.params.Get(name)
		if value == "" {
			continue
		}
		for _, id := range all {
			if id.is(name, value) {
				return id
			}
		}
		q.noIdentity()
		return nil
	}
	for _, id := range all {
		if id.system {
			return id
		}
	}
	switch {
	case q.lone && len(all) == 1:
		return all[0]
	case q.lone && len(all) > 1:
		q.refuse(http.StatusBadRequest, "invalid_request", "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request")
	default:
		q.noIdentity()
	}
	return nil
}

func (q *machineRequest) noIdentity() {
	switch q.kind {
	case KindServiceFabric:
		q.refuse(http.StatusNotFound, "ManagedIdentityNotFound", "Managed identity not found for the application.")
	case KindAppService, KindAzureML:
		q.refuse(http.StatusBadRequest, "", "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")
	default:
		q.refuse(http.StatusBadRequest, "invalid_request", "Identity not found")
	}
}

// refuse answers in the endpoint's own form and returns false.
func (q *machineRequest) refuse(status int, code, text string) bool {
	note(q.r, text)
	switch q.kind {
	case KindAppService, KindAzureML:
		writeJSON(q.w, status, map[string]any{"statusCode": status, "message": text, "correlationId": newGUID()})
	case KindServiceFabric:
		writeJSON(q.w, status, map[string]any{"error": map[string]string{"correlationId": newGUID(), "code": code, "message": text}})
	default:
		writeJSON(q.w, status, map[string]string{"error": code, "error_description": text})
	}
	return false
}

// key is Azure Arc's challenge: who can read a file that only the machine's own
// can read, is one of them. A key opens once.
func (q *machineRequest) key() bool {
	m := q.machine
	m.cloud.mu.Lock()
	defer m.cloud.mu.Unlock()
	if key, ok := strings.CutPrefix(q.r.Header.Get("Authorization"), "Basic "); ok {
		file := m.keys[key]
		if file == "" {
			return q.refuse(http.StatusUnauthorized, "unauthorized", "The key is wrong or was used before")
		}
		m.keys[key] = ""
		os.Remove(file)
		return true
	}
	file, key := filepath.Join(m.keyDir, newGUID()+".key"), randomText(48)
	m.cloud.canaries.add(key)
	if err := os.WriteFile(file, []byte(key), 0o640); err != nil {
		panic(fmt.Sprintf("azuretest: writing Azure Arc's key: %v", err))
	}
	m.keys[key] = file
	q.w.Header().Set("WWW-Authenticate", "Basic realm="+file)
	return q.refuse(http.StatusUnauthorized, "unauthorized", "a challenge")
}
