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
	KindAuthorize      = "authorize"       // Entra: the sign-in page, asked for or filled in
	KindDeviceCode     = "devicecode"      // Entra: POST the device authorization endpoint
	KindEntraOther     = "entra-other"     // Entra: anything else
	KindExchange       = "exchange"        // ACR: /oauth2/exchange, any method
	KindACRToken       = "acr-token"       // ACR: /oauth2/token
	KindChallenge      = "challenge"       // ACR: /v2/ itself
	KindData           = "data"            // ACR: manifests, blobs, everything else
	KindGitHubToken    = "github-token"    // GitHub Actions: the token of a job
	KindPipelinesToken = "pipelines-token" // Azure Pipelines: the token of a service connection
	KindTokenProxy     = "token-proxy"     // AKS: whatever goes to a cluster's token proxy
	KindForeign        = "foreign"         // a host that the cloud doesn't serve

	// A machine's endpoints for managed identities.
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
	Scheme string    // "https", or "http" for what came in clear
	Method string
	Host   string // without port, lower case
	Path   string
	Query  url.Values
	Form   url.Values // of an application/x-www-form-urlencoded body
	Header http.Header
	Body   []byte // at most 1 MiB; nil for uploads and downloads under /v2/
	Status int    // 0 while unanswered, and when the connection was cut
	Why    string // the cloud's own reason for refusing; clients never see it
}

// texts is all that the request said, for a search: Basic credentials decoded,
// form and query values both raw and unescaped.
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

// A recorder keeps requests in the order of their arrival. Entries are written
// to until answered, always under mu.
type recorder struct {
	mu      sync.Mutex
	entries []*Request
	foreign []string
}

func newRecorder() *recorder { return &recorder{} }

// open begins a record before the request is answered, so that a test can see
// one that hangs.
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

// noteForeign keeps the order in which hosts were first asked for.
func (rec *recorder) noteForeign(host string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if !slices.Contains(rec.foreign, host) {
		rec.foreign = append(rec.foreign, host)
	}
}

// Requests returns what was asked since the start or the last Reset, oldest
// first. CONNECT requests to a Proxy are not among them.
func (c *Cloud) Requests() []Request {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	out := make([]Request, len(c.record.entries))
	for i, r := range c.record.entries {
		out[i] = *r
	}
	return out
}

// Count returns how many requests had this method, host and path. An empty
// argument matches anything; a path that ends in * matches by its beginning.
func (c *Cloud) Count(method, host, path string) int {
	n := 0
	for _, r := range c.Requests() {
		if (method == "" || r.Method == method) && matches(host, r.Host) && matches(path, r.Path) {
			n++
		}
	}
	return n
}

// Seen returns how many requests of a kind came in. It panics when there is no
// such kind: a misspelt one would count zero and let a test pass.
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

// Reset forgets all requests and foreign hosts. Faults, canaries and everything
// configured stay.
func (c *Cloud) Reset() {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	c.record.entries, c.record.foreign = nil, nil
}

// ForeignHosts returns the hosts asked for that the cloud doesn't serve: dialled
// through Transport, named in a TLS handshake, in a request, or to a Proxy. A port
// is part of the name when it isn't 443.
func (c *Cloud) ForeignHosts() []string {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	return append([]string{}, c.record.foreign...) // never nil: JSON wants a list
}

// noteServerName catches a client that gives up during the handshake.
func (c *Cloud) noteServerName(name string) {
	if !c.serves(name) && !c.isPinned(name) {
		c.record.noteForeign(strings.ToLower(name))
	}
}

// noteDial writes down an address unless it is port 443 of a served host, and
// tells whether it was that.
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

// kindOf sorts a request by host and path.
func (c *Cloud) kindOf(host, path string) string {
	if kind := c.machineKind(host, path); kind != "" {
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

// entraKind goes by the end of the path, for the tenant is its beginning.
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

// matches compares a pattern of Count and Fault: empty for anything, a trailing
// * for any ending.
func matches(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return pattern == "" || pattern == s
}
