package azuretest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Registry is one Azure Container Registry. Its knobs may be turned while
// clients run.
type Registry struct {
	// Backend is what stands behind /v2/ once a request's bearer token is found
	// good; nil means a registry in memory. Set it before the first request.
	Backend http.Handler

	cloud  *Cloud
	host   string
	tenant *Tenant
	memory *memory

	// guarded by Cloud.mu
	grants    []grant
	abac      bool
	users     map[string]localUser // the admin user and scoped tokens, by name
	anonymous bool
	noARM     bool
	firewall  string
	rtLife    time.Duration
	atLife    time.Duration
	shape     TokenShape
	opaque    map[string]string // what opaque refresh tokens stand for
	throttle  int
	retry     string
}

// A localUser is somebody only the registry knows.
type localUser struct {
	password string
	may      rights
}

// AddRegistry creates a registry at host, such as contoso.azurecr.io, whose roles
// are granted to principals of tenant; nil means a new tenant in the public cloud.
// It replaces one of the same host.
func (c *Cloud) AddRegistry(host string, tenant *Tenant) *Registry {
	if tenant == nil {
		tenant = c.AddTenant("")
	}
	r := &Registry{
		cloud: c, host: strings.ToLower(host), tenant: tenant, memory: newMemory(),
		users: map[string]localUser{}, opaque: map[string]string{},
		// Three hours since June 2019 (Azure/acr issue 191); 75 minutes is the
		// life of the access token in ACR docs AAD-OAuth.md.
		rtLife: 3 * time.Hour, atLife: 75 * time.Minute,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registries[r.host] = r
	return r
}

// RemoveRegistry deletes the registry at host: it becomes a foreign host.
func (c *Cloud) RemoveRegistry(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.registries, strings.ToLower(host))
}

// Host is the registry's login server.
func (r *Registry) Host() string { return r.host }

// Tenant is the directory whose principals the registry knows.
func (r *Registry) Tenant() *Tenant { return r.tenant }

// AddRegion serves the registry under a regional name too, such as
// contoso.westeurope.geo.azurecr.io. There the challenge's realm is the regional
// host and its service the global one; the tokens are the same, meant for the
// global host.
func (r *Registry) AddRegion(host string) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	r.cloud.registries[strings.ToLower(host)] = r
}

// isService tells whether a service parameter names this registry: by its own
// host, or by the one that was asked.
func (r *Registry) isService(service string, req *http.Request) bool {
	return strings.EqualFold(service, r.host) || strings.EqualFold(service, hostname(req.Host))
}

// set changes the registry under the cloud's lock.
func (r *Registry) set(change func()) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	change()
}

// SetAdmin switches the admin user on, under the name that Azure gives it, the
// registry's own, or any other. An empty password switches it off.
func (r *Registry) SetAdmin(user, password string) {
	r.setUser(user, password, rights{rules: []rule{{"*", []string{"*"}}}, catalog: true})
}

// AddScopedToken creates a token with a scope map: repository, or a prefix of
// some that ends in *, to actions (pull, push, delete, metadata_read,
// metadata_write). Such tokens have nothing to do with Entra and can't be
// exchanged. An empty password removes one.
func (r *Registry) AddScopedToken(name, password string, scope map[string][]string) {
	var may rights
	for repository, actions := range scope {
		may.rules = append(may.rules, rule{repository, slices.Clone(actions)})
	}
	r.setUser(name, password, may)
}

// setUser records who signs in here without Entra. Passwords are compared as
// they are; hashing them would only slow tests down.
func (r *Registry) setUser(name, password string, may rights) {
	r.cloud.canaries.add(password)
	r.set(func() {
		if password == "" {
			delete(r.users, name)
			return
		}
		r.users[name] = localUser{password, may}
	})
}

// AnonymousPull lets everybody pull without credentials. Wrong credentials are
// refused all the same.
func (r *Registry) AnonymousPull(on bool) { r.set(func() { r.anonymous = on }) }

// ARMAudience is the policy azureADAuthenticationAsArmPolicy, on by default: also
// accept Entra tokens meant for Azure Resource Manager.
func (r *Registry) ARMAudience(on bool) { r.set(func() { r.noARM = !on }) }

// Firewall makes the registry refuse everything with 403 DENIED, naming ip as the
// client's address. An empty ip opens it again.
func (r *Registry) Firewall(ip string) { r.set(func() { r.firewall = ip }) }

// RefreshTokenLife sets how long refresh tokens live from now on; the default is
// three hours.
func (r *Registry) RefreshTokenLife(d time.Duration) { r.set(func() { r.rtLife = d }) }

// AccessTokenLife sets how long access tokens live from now on; the default is 75
// minutes.
func (r *Registry) AccessTokenLife(d time.Duration) { r.set(func() { r.atLife = d }) }

// Throttle refuses the next n requests to /oauth2/ with 429. retryAfter is the
// Retry-After header, seconds or a date; an empty one leaves it out, as ACR may.
func (r *Registry) Throttle(n int, retryAfter string) {
	r.set(func() { r.throttle, r.retry = n, retryAfter })
}

// throttled uses up one refusal of Throttle.
func (r *Registry) throttled() (retryAfter string, yes bool) {
	r.set(func() {
		if yes = r.throttle > 0; yes {
			r.throttle--
			retryAfter = r.retry
		}
	})
	return retryAfter, yes
}

// A TokenShape spoils the refresh tokens that a registry hands out.
type TokenShape struct {
	Audience string // aud, instead of the registry's host
	Expired  bool   // issued four hours ago, ended an hour ago
	Opaque   bool   // random text, no JWT; the registry still accepts it
	Padding  int    // length of a further claim, to make the token huge
}

// ShapeRefreshTokens spoils refresh tokens from now on; the zero TokenShape makes
// them right again.
func (r *Registry) ShapeRefreshTokens(s TokenShape) { r.set(func() { r.shape = s }) }
