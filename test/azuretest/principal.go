package azuretest

import (
	"crypto/subtle"
	"crypto/x509"
	"time"
)

// A Principal is an identity of a tenant, to which a registry's roles are granted: a ServicePrincipal, a
// ManagedIdentity or a User.
type Principal interface {
	// Tenant returns the tenant that the principal belongs to.
	Tenant() *Tenant
	// ObjectID returns its ID in that tenant.
	ObjectID() string
	// AccessToken returns a new Entra access token, for stubs of developer tools to print. A ttl of zero means the
	// default; with a negative one the token has expired already.
	AccessToken(audience string, ttl time.Duration) string

	// subject returns its name in a registry's tokens.
	subject() string
	// describe sets the claims that differ between users and applications.
	describe(*entraClaims)
}

// An account is what all principals have.
type account struct {
	tenant   *Tenant
	objectID string
}

// Tenant implements Principal.
func (a account) Tenant() *Tenant { return a.tenant }

// ObjectID implements Principal.
func (a account) ObjectID() string { return a.objectID }

// A ServicePrincipal is an application that signs in without a user.
type ServicePrincipal struct {
	account
	clientID string

	// guarded by Cloud.mu
	secrets      map[string]bool // true while valid, false once expired
	certificates []*x509.Certificate
	subjects     []certificateSubject
	federation   []federatedCredential
	disabled     bool
}

// AddServicePrincipal registers an application. An empty client ID means a new one, an empty secret means none.
func (t *Tenant) AddServicePrincipal(clientID, secret string) *ServicePrincipal {
	if clientID == "" {
		clientID = newGUID()
	}
	p := &ServicePrincipal{account: t.newAccount(), clientID: clientID, secrets: map[string]bool{}}
	p.AddSecret(secret)
	t.addPrincipal(p)
	return p
}

func (t *Tenant) newAccount() account { return account{t, newGUID()} }

func (t *Tenant) addPrincipal(p Principal) {
	t.cloud.locked(func() { t.principals = append(t.principals, p) })
}

// ClientID returns the application's ID, with which it signs in.
func (p *ServicePrincipal) ClientID() string { return p.clientID }

// SetSecret replaces all secrets, as a rotation does. The old ones are wrong from now on, not expired.
func (p *ServicePrincipal) SetSecret(secret string) {
	p.tenant.cloud.locked(func() { clear(p.secrets) })
	p.AddSecret(secret)
}

// AddSecret adds a secret.
func (p *ServicePrincipal) AddSecret(secret string) { p.putSecret(secret, true) }

// ExpireSecret makes a secret expire: it is refused with AADSTS7000222.
func (p *ServicePrincipal) ExpireSecret(secret string) { p.putSecret(secret, false) }

// putSecret adds expired secrets to the canaries too: they must not leak either.
func (p *ServicePrincipal) putSecret(secret string, valid bool) {
	if secret == "" {
		return
	}
	p.tenant.cloud.canaries.add(secret)
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	p.secrets[secret] = valid
}

// Disable blocks the application from signing in (AADSTS7000112). Tokens that it has already stay valid.
func (p *ServicePrincipal) Disable() { p.tenant.cloud.locked(func() { p.disabled = true }) }

// authenticate checks a secret. It returns the AADSTS code of a refusal, or 0.
func (p *ServicePrincipal) authenticate(secret string) int {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	if p.disabled {
		return 7000112
	}
	for known, valid := range p.secrets {
		if subtle.ConstantTimeCompare([]byte(known), []byte(secret)) == 0 {
			continue
		}
		if !valid {
			return 7000222
		}
		return 0
	}
	return 7000215
}

// AccessToken implements Principal.
func (p *ServicePrincipal) AccessToken(audience string, ttl time.Duration) string {
	return p.tenant.accessToken(p, audience, ttl)
}

func (p *ServicePrincipal) subject() string { return p.clientID }

func (p *ServicePrincipal) describe(c *entraClaims) {
	c.AppID, c.AppIDACR, c.IDType, c.Sub = p.clientID, "1", "app", p.objectID
}
