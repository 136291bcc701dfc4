package azuretest

import (
	"crypto/subtle"
	"crypto/x509"
	"time"
)

// A Principal is who Entra signs in and who a registry's roles are granted to: a
// ServicePrincipal or a User.
type Principal interface {
	// Tenant is the directory that the principal belongs to.
	Tenant() *Tenant
	// ObjectID is its id in that directory.
	ObjectID() string
	// AccessToken mints an Entra access token, as a stub of a developer tool
	// would print. A ttl of zero means the tenant's usual one; below zero, the
	// token has expired already.
	AccessToken(audience string, ttl time.Duration) string

	// subject is its name in a registry's tokens.
	subject() string
	// describe fills in the claims that tell users and applications apart.
	describe(*entraClaims)
}

// A ServicePrincipal is an application that signs in by itself.
type ServicePrincipal struct {
	tenant   *Tenant
	clientID string
	objectID string

	// guarded by Cloud.mu
	secrets      map[string]bool // true while valid, false once expired
	certificates []*x509.Certificate
	subjects     []certifiedSubject
	federation   []federatedCredential
	disabled     bool
}

// AddServicePrincipal registers an application. An empty client id means a new
// one, an empty secret none at all.
func (t *Tenant) AddServicePrincipal(clientID, secret string) *ServicePrincipal {
	if clientID == "" {
		clientID = newGUID()
	}
	p := &ServicePrincipal{tenant: t, clientID: clientID, objectID: newGUID(), secrets: map[string]bool{}}
	p.AddSecret(secret)
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.principals = append(t.principals, p)
	return p
}

// ClientID is the application's id, with which it signs in.
func (p *ServicePrincipal) ClientID() string { return p.clientID }

// Tenant implements Principal.
func (p *ServicePrincipal) Tenant() *Tenant { return p.tenant }

// ObjectID implements Principal.
func (p *ServicePrincipal) ObjectID() string { return p.objectID }

// SetSecret replaces every secret by this one, as a rotation does. The old ones
// are wrong from now on, not expired.
func (p *ServicePrincipal) SetSecret(secret string) {
	p.tenant.cloud.mu.Lock()
	clear(p.secrets)
	p.tenant.cloud.mu.Unlock()
	p.AddSecret(secret)
}

// AddSecret accepts one more secret.
func (p *ServicePrincipal) AddSecret(secret string) { p.putSecret(secret, true) }

// ExpireSecret lets a secret end: signing in with it is AADSTS7000222.
func (p *ServicePrincipal) ExpireSecret(secret string) { p.putSecret(secret, false) }

// putSecret makes canaries of expired secrets too: they are still secrets.
func (p *ServicePrincipal) putSecret(secret string, valid bool) {
	if secret == "" {
		return
	}
	p.tenant.cloud.canaries.add(secret)
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	p.secrets[secret] = valid
}

// Disable blocks the application from signing in (AADSTS7000112). Tokens that it
// has already stay good.
func (p *ServicePrincipal) Disable() {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	p.disabled = true
}

// authenticate checks a secret and returns the AADSTS code of a refusal, or 0.
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
	return p.tenant.mint(p, audience, ttl, nil)
}

func (p *ServicePrincipal) subject() string { return p.clientID }

func (p *ServicePrincipal) describe(c *entraClaims) {
	c.AppID, c.AppIDACR, c.IDType, c.Sub = p.clientID, "1", "app", p.objectID
}

// A User is a person as one directory knows them. They sign in at Entra's pages;
// AccessToken is for stubs of tools that have signed them in already.
type User struct {
	tenant   *Tenant
	upn      string
	objectID string
	home     *User // who this guest is at home; nil for who is at home here
}

// AddUser adds a person to the directory, under a user principal name such as
// ada@contoso.com. Other directories Invite them.
func (t *Tenant) AddUser(upn string) *User {
	u := &User{tenant: t, upn: upn, objectID: newGUID()}
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.principals = append(t.principals, u)
	return u
}

// UPN is the user principal name.
func (u *User) UPN() string { return u.upn }

// Tenant implements Principal.
func (u *User) Tenant() *Tenant { return u.tenant }

// ObjectID implements Principal.
func (u *User) ObjectID() string { return u.objectID }

// AccessToken implements Principal.
func (u *User) AccessToken(audience string, ttl time.Duration) string {
	return u.tenant.mint(u, audience, ttl, nil)
}

func (u *User) subject() string { return u.upn }

// azureCLI is the application that users sign in to when they run az.
const azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

func (u *User) describe(c *entraClaims) {
	c.AppID, c.AppIDACR, c.IDType = azureCLI, "0", "user"
	c.Sub, c.UPN, c.UniqueName, c.Scope = u.objectID, u.upn, u.upn, "user_impersonation"
	if home := u.self().tenant; home != u.tenant {
		c.IDP = "https://" + home.authority.sts + "/" + home.id + "/"
	}
}
