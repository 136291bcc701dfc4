package azuretest

import (
	"net/http"
	"net/url"
	"strings"
)

// serveEntra responds as an authority. host is the requested name, which the URLs in the documents repeat.
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
		q.serveSignIn(endpoint)
	}
}

// An entraRequest is a request to an authority that is being served.
type entraRequest struct {
	cloud     *Cloud
	w         http.ResponseWriter
	r         *http.Request
	authority *authority
	host      string
	tenant    string // as in the path
	trace     string
	claims    string // the claims challenge of a refusal
}

// headers sets the headers of all Entra responses. The correlation ID is returned in a header only on request; MSAL
// requests not to.
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
	wanted := strings.EqualFold(q.r.Header.Get("Return-Client-Request-Id"), "true")
	if id := q.r.Header.Get("Client-Request-Id"); wanted && id != "" {
		h.Set("Client-Request-Id", id)
	}
}

// correlation returns the ID that the client gave its request, or a new one.
func (q *entraRequest) correlation() string {
	if id := q.r.Header.Get("Client-Request-Id"); id != "" {
		return id
	}
	return newGUID()
}

// instanceMetadata is one authority in the response of instance discovery.
type instanceMetadata struct {
	PreferredNetwork string   `json:"preferred_network"`
	PreferredCache   string   `json:"preferred_cache"`
	Aliases          []string `json:"aliases"`
}

// discover returns the authority that a host belongs to, and a list of all.
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
	base := "https://" + endpoint.Host + "/" + tenant + version
	writeJSON(q.w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": base + "/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  metadata,
	})
}

// openID sends the OpenID document of a tenant, or of common, organizations or consumers. version is "/v2.0", or ""
// for the document of version 1.0.
func (q *entraRequest) openID(version string) {
	id := strings.ToLower(q.tenant)
	switch id {
	case "common", "organizations", "consumers":
	default:
		t, _ := q.cloud.tenant(q.authority, q.tenant)
		if t == nil {
			q.refuse(90002, "invalid_tenant")
			return
		}
		id = t.id
	}
	writeJSON(q.w, http.StatusOK, q.document(id, version))
}

// document returns the fields of login.microsoftonline.com's document.
func (q *entraRequest) document(id, version string) map[string]any {
	base := "https://" + q.host + "/" + id
	issuer := "https://" + q.authority.hosts[0] + "/" + issuerTenant(id) + "/v2.0"
	if version == "" {
		issuer = "https://" + q.authority.sts + "/" + issuerTenant(id) + "/"
	}
	return map[string]any{
		"issuer":                        issuer,
		"authorization_endpoint":        base + "/oauth2" + version + "/authorize",
		"token_endpoint":                base + "/oauth2" + version + "/token",
		"device_authorization_endpoint": base + "/oauth2" + version + "/devicecode",
		"end_session_endpoint":          base + "/oauth2" + version + "/logout",
		"jwks_uri":                      base + "/discovery/v2.0/keys",
		"kerberos_endpoint":             base + "/kerberos",
		"userinfo_endpoint":             "https://" + q.authority.msgraph + "/oidc/userinfo",
		"token_endpoint_auth_methods_supported": []string{
			"client_secret_post", "private_key_jwt", "client_secret_basic",
		},
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

// issuerTenant returns the tenant in an issuer: for common and organizations a placeholder that clients fill in.
func issuerTenant(id string) string {
	switch id {
	case "common", "organizations":
		return "{tenantid}"
	case "consumers":
		return "9188040d-6c67-4c5b-b112-36a304b66dad" // Microsoft's tenant for personal accounts
	}
	return id
}

// keys sends the signing key, which all tenants share (RFC 7517).
func (q *entraRequest) keys() {
	public := signingKey().PublicKey
	writeJSON(q.w, http.StatusOK, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": q.cloud.signer.kid, "x5t": q.cloud.signer.kid,
		"n": base64URL(public.N.Bytes()), "e": "AQAB",
	}}})
}
