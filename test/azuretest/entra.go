package azuretest

import (
	"net/http"
	"net/url"
	"strings"
)

// serveEntra answers as an authority. host is the name it was asked under, which
// the documents' URLs repeat.
func (c *Cloud) serveEntra(w http.ResponseWriter, r *http.Request, a *authority, host string) {
	q := &entraRequest{cloud: c, w: w, r: r, authority: a, host: host, trace: newGUID()}
	q.headers()
	if r.URL.Path == "/common/discovery/instance" && r.Method == http.MethodGet {
		q.discover()
		return
	}
	tenant, endpoint, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q.tenant = tenant
	switch endpoint {
	case "v2.0/.well-known/openid-configuration":
		q.openID("/v2.0")
	case ".well-known/openid-configuration":
		q.openID("")
	case "discovery/v2.0/keys":
		q.keys()
	case "oauth2/v2.0/token":
		q.token()
	default:
		q.servePeople(endpoint)
	}
}

// An entraRequest is one request to an authority, while it is answered.
type entraRequest struct {
	cloud     *Cloud
	w         http.ResponseWriter
	r         *http.Request
	authority *authority
	host      string
	tenant    string // as the path names it
	trace     string
	claims    string // what a refusal asks the next sign-in for
}

// headers sets what every answer of Entra's carries. The correlation id goes back
// in a header only to those who ask for it; MSAL asks not to.
func (q *entraRequest) headers() {
	h := q.w.Header()
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("P3P", `CP="DSP CUR OTPi IND OTRi ONL FIN"`)
	h.Set("X-Ms-Request-Id", q.trace)
	h.Set("X-Ms-Ests-Server", "2.1.22203.4 - NEULR1 ProdSlices")
	h.Set("X-Ms-Srs", "1.P")
	if id := q.r.Header.Get("Client-Request-Id"); strings.EqualFold(q.r.Header.Get("Return-Client-Request-Id"), "true") && id != "" {
		h.Set("Client-Request-Id", id)
	}
}

// correlation is the id that the client gave its request, or a new one.
func (q *entraRequest) correlation() string {
	if id := q.r.Header.Get("Client-Request-Id"); id != "" {
		return id
	}
	return newGUID()
}

// instanceMetadata is one authority in the answer of instance discovery.
type instanceMetadata struct {
	PreferredNetwork string   `json:"preferred_network"`
	PreferredCache   string   `json:"preferred_cache"`
	Aliases          []string `json:"aliases"`
}

// discover answers which authority a host belongs to, and lists them all.
func (q *entraRequest) discover() {
	endpoint, err := url.Parse(q.r.URL.Query().Get("authorization_endpoint"))
	if err != nil || endpoint.Scheme != "https" {
		q.refuse(50049, "")
		return
	}
	if _, ok := authorityOf(endpoint.Hostname()); !ok {
		q.refuse(50049, "")
		return
	}
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(endpoint.Path, "/"), "/")
	version := ""
	if strings.Contains(rest, "v2.0") {
		version = "/v2.0"
	}
	var metadata []instanceMetadata
	for _, a := range authorities {
		metadata = append(metadata, instanceMetadata{a.hosts[0], a.preferredCache(), a.hosts})
	}
	writeJSON(q.w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + endpoint.Host + "/" + tenant + version + "/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  metadata,
	})
}

// openID answers with the OpenID document of a tenant, or of the tenantless
// endpoints. version is "/v2.0", or "" for the older document, whose issuer and
// endpoints are those of version 1.0.
func (q *entraRequest) openID(version string) {
	id := strings.ToLower(q.tenant)
	if !tenantless(id) {
		t, _ := q.cloud.tenant(q.authority, q.tenant)
		if t == nil {
			q.refuse(90002, "invalid_tenant")
			return
		}
		id = t.id
	}
	writeJSON(q.w, http.StatusOK, q.document(id, version))
}

// document has the fields of login.microsoftonline.com's own document.
func (q *entraRequest) document(id, version string) map[string]any {
	base := "https://" + q.host + "/" + id
	issuer := "https://" + q.authority.hosts[0] + "/" + issuerTenant(id) + "/v2.0"
	if version == "" {
		issuer = "https://" + q.authority.sts + "/" + issuerTenant(id) + "/"
	}
	return map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                base + "/oauth2" + version + "/authorize",
		"token_endpoint":                        base + "/oauth2" + version + "/token",
		"device_authorization_endpoint":         base + "/oauth2" + version + "/devicecode",
		"end_session_endpoint":                  base + "/oauth2" + version + "/logout",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"kerberos_endpoint":                     base + "/kerberos",
		"userinfo_endpoint":                     "https://" + q.authority.msgraph + "/oidc/userinfo",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"claims_supported": []string{
			"sub", "iss", "cloud_instance_name", "cloud_instance_host_name",
			"cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce",
			"preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email",
		},
		"request_uri_parameter_supported": false,
		"http_logout_supported":           true,
		"frontchannel_logout_supported":   true,
		"tenant_region_scope":             "EU",
		"cloud_instance_name":             q.authority.instance,
		"cloud_graph_host_name":           q.authority.graph,
		"msgraph_host":                    q.authority.msgraph,
		"rbac_url":                        q.authority.rbac,
	}
}

// issuerTenant is the tenant of an issuer; the tenantless endpoints leave a
// placeholder for clients to fill in.
func issuerTenant(id string) string {
	if tenantless(id) && id != "consumers" {
		return "{tenantid}"
	}
	if id == "consumers" {
		return "9188040d-6c67-4c5b-b112-36a304b66dad" // Microsoft's tenant for personal accounts
	}
	return id
}

// tenantless tells the endpoints that find the tenant by the user who signs in.
func tenantless(tenant string) bool {
	switch strings.ToLower(tenant) {
	case "common", "organizations", "consumers":
		return true
	}
	return false
}

// keys answers with the signing key, which every tenant shares (RFC 7517).
func (q *entraRequest) keys() {
	public := q.cloud.signer.key().PublicKey
	writeJSON(q.w, http.StatusOK, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": q.cloud.signer.kid, "x5t": q.cloud.signer.kid,
		"n": base64URL(public.N.Bytes()), "e": "AQAB",
	}}})
}
