package azuretest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// The kinds of request that Seen counts.
const (
	KindDiscovery      = "discovery"       // Entra: GET /common/discovery/instance
	KindOpenID         = "openid"          // Entra: GET an OpenID document
	KindKeys           = "entra-keys"      // Entra: GET the signing keys
	KindEntraToken     = "entra-token"     // Entra: the token endpoint, any method
	KindAuthorize      = "authorize"       // Entra: the sign-in page, GET or POST
	KindDeviceCode     = "devicecode"      // Entra: POST the device authorization endpoint
	KindEntraOther     = "entra-other"     // Entra: anything else
	KindExchange       = "exchange"        // ACR: /oauth2/exchange, any method
	KindACRToken       = "acr-token"       // ACR: /oauth2/token
	KindChallenge      = "challenge"       // ACR: /v2/ itself
	KindData           = "data"            // ACR: manifests, blobs, everything else
	KindGitHubToken    = "github-token"    // GitHub Actions: the token of a job
	KindPipelinesToken = "pipelines-token" // Azure Pipelines: the token of a service connection
	KindTokenProxy     = "token-proxy"     // AKS: any request to a cluster's token proxy
	KindForeign        = "foreign"         // a host that the cloud doesn't serve

	// The endpoints for managed identities.
	KindIMDS          = "imds"
	KindAppService    = "app-service"
	KindServiceFabric = "service-fabric"
	KindAzureML       = "azure-ml"
	KindCloudShell    = "cloud-shell"
	KindArc           = "arc"
)

// kinds lists the constants above.
var kinds = []string{
	KindDiscovery, KindOpenID, KindKeys, KindEntraToken, KindAuthorize, KindDeviceCode, KindEntraOther,
	KindExchange, KindACRToken, KindChallenge, KindData,
	KindGitHubToken, KindPipelinesToken, KindTokenProxy, KindForeign,
	KindIMDS, KindAppService, KindServiceFabric, KindAzureML, KindCloudShell, KindArc,
}

// A Request is one request as the cloud received it.
type Request struct {
	Time   time.Time // by the cloud's clock
	Kind   string    // one of the Kind constants
	Scheme string    // "https" or "http"
	Method string
	Host   string // without port, lower case
	Path   string
	Query  url.Values
	Form   url.Values // of an application/x-www-form-urlencoded body
	Header http.Header
	Body   []byte // at most 1 MiB; nil for uploads and downloads under /v2/
	Status int    // 0 without a response (yet)
	Why    string // why the request was refused; clients don't see it
}

// texts returns all parts of the request, for a search: Basic credentials decoded, form and query values both raw and
// unescaped.
func (r *Request) texts() []string {
	texts := []string{string(r.Body), r.Query.Encode(), r.Path}
	for _, values := range r.Header {
		texts = append(texts, values...)
	}
	for _, set := range []url.Values{r.Query, r.Form} {
		for _, values := range set {
			texts = append(texts, values...)
		}
	}
	basic := http.Request{Header: r.Header}
	if user, password, ok := basic.BasicAuth(); ok {
		texts = append(texts, user, password)
	}
	return texts
}

// A recorder stores requests in the order of their arrival. Entries change until the response is sent, always under
// mu.
type recorder struct {
	mu      sync.Mutex
	entries []*Request
	foreign []string
}

// open records a request before it is served, so that a test can find one that hangs.
func (rec *recorder) open(r *Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.entries = append(rec.entries, r)
}

func (rec *recorder) update(r *Request, change func(*Request)) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	change(r)
}

// noteForeign records a host, in the order of the first requests.
func (rec *recorder) noteForeign(host string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if !slices.Contains(rec.foreign, host) {
		rec.foreign = append(rec.foreign, host)
	}
}

// Requests returns the requests since the start or the last Reset, oldest first, without CONNECT requests to a Proxy.
func (c *Cloud) Requests() []Request {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	out := make([]Request, len(c.record.entries))
	for i, r := range c.record.entries {
		out[i] = *r
	}
	return out
}

// Count returns the number of requests with this method, host and path. An empty argument matches anything; a
// trailing * matches any suffix.
func (c *Cloud) Count(method, host, path string) int {
	n := 0
	for _, r := range c.Requests() {
		if (method == "" || r.Method == method) && matches(host, r.Host) && matches(path, r.Path) {
			n++
		}
	}
	return n
}

// Seen returns the number of requests of a kind. It panics for an unknown kind: a misspelt one would count as zero
// and let a test pass.
func (c *Cloud) Seen(kind string) int {
	if !slices.Contains(kinds, kind) {
		panic(fmt.Sprintf("azuretest: unknown kind of request %q, want one of %q", kind, kinds))
	}
	n := 0
	for _, r := range c.Requests() {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// Reset deletes all recorded requests and foreign hosts. It doesn't change faults, canaries and settings.
func (c *Cloud) Reset() {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	c.record.entries, c.record.foreign = nil, nil
}

// ForeignHosts returns the hosts requested that the cloud doesn't serve: dialled through Transport, or named in a TLS
// handshake, in a request or to a Proxy. A port other than 443 is part of the name.
func (c *Cloud) ForeignHosts() []string {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	return slices.Clone(c.record.foreign)
}

// noteServerName records clients that close the connection during the handshake.
func (c *Cloud) noteServerName(name string) {
	if !c.serves(name) && !c.isServiceFabricName(name) {
		c.record.noteForeign(strings.ToLower(name))
	}
}

// noteDial records an address unless it is port 443 of a served host. It reports whether it is one.
func (c *Cloud) noteDial(addr string) (served bool) {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		c.record.noteForeign(addr)
	case port != "443":
		c.record.noteForeign(strings.ToLower(addr))
	case !c.serves(host):
		c.record.noteForeign(strings.ToLower(host))
	default:
		return true
	}
	return false
}

// kindOf returns the kind of a request by host and path.
func (c *Cloud) kindOf(host, path string) string {
	if kind := c.endpointKind(host, path); kind != "" {
		return kind
	}
	if _, ok := authorityOf(host); ok {
		return entraKind(path)
	}
	if c.registry(host) == nil {
		return KindForeign
	}
	switch path {
	case "/oauth2/exchange":
		return KindExchange
	case "/oauth2/token":
		return KindACRToken
	case "/v2/", "/v2":
		return KindChallenge
	}
	return KindData
}

// entraKind compares the end of the path, since the tenant is at its start.
func entraKind(path string) string {
	switch {
	case path == "/common/discovery/instance":
		return KindDiscovery
	case strings.HasSuffix(path, "/.well-known/openid-configuration"):
		return KindOpenID
	case strings.HasSuffix(path, "/oauth2/v2.0/token"):
		return KindEntraToken
	case strings.HasSuffix(path, "/discovery/v2.0/keys"):
		return KindKeys
	case strings.HasSuffix(path, "/oauth2/v2.0/authorize"):
		return KindAuthorize
	case strings.HasSuffix(path, "/oauth2/v2.0/devicecode"):
		return KindDeviceCode
	}
	return KindEntraOther
}

// matches compares a string with a pattern of Count, Fault or a scope map: empty matches anything, a trailing * any
// suffix.
func matches(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return pattern == "" || pattern == s
}
