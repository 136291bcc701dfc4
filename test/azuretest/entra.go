package azuretest

import (
	"cmp"
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
		q.openID()
	case "discovery/v2.0/keys":
		q.keys()
	case "oauth2/v2.0/token":
		q.token()
	case "oauth2/v2.0/authorize":
		q.authorize()
	case "oauth2/v2.0/devicecode":
		q.deviceCode()
	default:
		http.NotFound(w, r)
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
	return cmp.Or(q.r.Header.Get("Client-Request-Id"), newGUID())
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
	tenant, _, _ := strings.Cut(strings.TrimPrefix(endpoint.Path, "/"), "/")
	var metadata []instanceMetadata
	for _, a := range authorities {
		metadata = append(metadata, instanceMetadata{a.hosts[0], cmp.Or(a.cache, a.hosts[0]), a.hosts})
	}
	writeJSON(q.w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + endpoint.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  metadata,
	})
}

// openID sends the OpenID document of a tenant, or of common or organizations, whose issuer has a placeholder that
// clients fill in. Of login.microsoftonline.com's document, it has the fields that clients read.
func (q *entraRequest) openID() {
	id := strings.ToLower(q.tenant)
	issuer := "{tenantid}"
	if id != "common" && id != "organizations" {
		t, _ := q.cloud.tenant(q.authority, q.tenant)
		if t == nil {
			q.refuse(90002, "invalid_tenant")
			return
		}
		id, issuer = t.id, t.id
	}
	base := "https://" + q.host + "/" + id
	writeJSON(q.w, http.StatusOK, map[string]any{
		"issuer":                        "https://" + q.authority.hosts[0] + "/" + issuer + "/v2.0",
		"authorization_endpoint":        base + "/oauth2/v2.0/authorize",
		"token_endpoint":                base + "/oauth2/v2.0/token",
		"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode",
		"jwks_uri":                      base + "/discovery/v2.0/keys",
	})
}

// keys sends the signing key, which all tenants share (RFC 7517).
func (q *entraRequest) keys() {
	public := signingKey().PublicKey
	writeJSON(q.w, http.StatusOK, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": q.cloud.signer.kid, "x5t": q.cloud.signer.kid,
		"n": base64URL(public.N.Bytes()), "e": "AQAB",
	}}})
}
