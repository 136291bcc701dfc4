package azuretest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Registry is an Azure Container Registry. Its settings may change while clients run.
type Registry struct {
	// Backend serves /v2/ after the check of the bearer token; nil means an in-memory registry, which has no lists of
	// repositories and tags. Set it before the first request.
	Backend http.Handler

	cloud   *Cloud
	host    string
	tenant  *Tenant
	storage *memoryRegistry

	// guarded by Cloud.mu
	grants          []grant
	users           map[string]localUser // the admin user and scoped tokens, by name
	anonymousPull   bool
	firewall        string // the client address to refuse; may be empty
	refreshLifetime time.Duration
	shape           TokenShape
	opaque          map[string]string // opaque refresh tokens to JWTs
	throttle        int               // how many more requests to refuse
	retryAfter      string
}

// Three hours since June 2019 (Azure/acr issue 191); 75 minutes is the lifetime of the access token in ACR docs
// AAD-OAuth.md.
const (
	acrRefreshTokenLifetime = 3 * time.Hour
	acrAccessTokenLifetime  = 75 * time.Minute
)

// A localUser is the admin user or a scoped token.
type localUser struct {
	password string
	rights   rights
}

// AddRegistry adds a registry at host, such as contoso.azurecr.io, whose roles are granted to principals of tenant. It
// replaces a registry at the same host.
func (c *Cloud) AddRegistry(host string, tenant *Tenant) *Registry {
	r := &Registry{
		cloud: c, host: strings.ToLower(host), tenant: tenant, storage: newMemoryRegistry(),
		users: map[string]localUser{}, opaque: map[string]string{}, refreshLifetime: acrRefreshTokenLifetime,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registries[r.host] = r
	return r
}

// Host returns the registry's login server.
func (r *Registry) Host() string { return r.host }

// AddRegion serves the registry under a regional name too, such as contoso.westeurope.geo.azurecr.io. There the
// challenge's realm is the regional host and its service the global one; tokens are for the global host too.
func (r *Registry) AddRegion(host string) {
	r.cloud.locked(func() { r.cloud.registries[strings.ToLower(host)] = r })
}

// isService reports whether a service parameter is this registry's host or the requested one.
func (r *Registry) isService(service string, req *http.Request) bool {
	return strings.EqualFold(service, r.host) || strings.EqualFold(service, hostname(req.Host))
}

// SetAdmin enables the admin user. Azure gives it the registry's name; any other is possible.
func (r *Registry) SetAdmin(user, password string) {
	r.setUser(user, password, rights{rules: []rule{{"*", []string{"*"}}}, catalog: true})
}

// AddScopedToken adds a token with a scope map: repository, or a prefix that ends in *, to actions (pull, push,
// delete, metadata_read, metadata_write). Such tokens are no Entra identities and can't be exchanged.
func (r *Registry) AddScopedToken(name, password string, scope map[string][]string) {
	var rights rights
	for repository, actions := range scope {
		rights.rules = append(rights.rules, rule{repository, slices.Clone(actions)})
	}
	r.setUser(name, password, rights)
}

// setUser adds a local user. Passwords aren't hashed, which would slow tests down.
func (r *Registry) setUser(name, password string, rights rights) {
	r.cloud.canaries.add(password)
	r.cloud.locked(func() { r.users[name] = localUser{password, rights} })
}

// AnonymousPull allows pulls without credentials. Wrong credentials are refused nevertheless.
func (r *Registry) AnonymousPull(on bool) { r.cloud.locked(func() { r.anonymousPull = on }) }

// Firewall makes the registry refuse all requests with 403 DENIED, with ip as the client's address in the text. An
// empty ip ends it.
func (r *Registry) Firewall(ip string) { r.cloud.locked(func() { r.firewall = ip }) }

// RefreshTokenLifetime sets the lifetime of new refresh tokens; the default is three hours.
func (r *Registry) RefreshTokenLifetime(d time.Duration) {
	r.cloud.locked(func() { r.refreshLifetime = d })
}

// Throttle refuses the next n requests to /oauth2/ with 429. retryAfter is the Retry-After header, seconds or a date;
// if it is empty there is none, as happens with ACR.
func (r *Registry) Throttle(n int, retryAfter string) {
	r.cloud.locked(func() { r.throttle, r.retryAfter = n, retryAfter })
}

// throttled reports whether to refuse this request, and counts it.
func (r *Registry) throttled() (retryAfter string, ok bool) {
	r.cloud.locked(func() {
		if ok = r.throttle > 0; ok {
			r.throttle--
			retryAfter = r.retryAfter
		}
	})
	return retryAfter, ok
}

// A TokenShape makes the refresh tokens of a registry unusual or invalid.
type TokenShape struct {
	Audience string // aud, instead of the registry's host
	Expired  bool   // issued four hours ago, expired an hour ago
	Opaque   bool   // random text, not a JWT; the registry accepts it
	Padding  int    // length of an additional claim, for a huge token
}

// ShapeRefreshTokens changes new refresh tokens; the zero TokenShape means normal ones.
func (r *Registry) ShapeRefreshTokens(s TokenShape) { r.cloud.locked(func() { r.shape = s }) }
