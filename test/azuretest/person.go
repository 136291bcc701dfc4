package azuretest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Deed is what a person does at one of Entra's pages.
type Deed string

// What people do.
const (
	SignsIn  Deed = "sign-in"
	Declines Deed = "decline" // consents to nothing
	Cancels  Deed = "cancel"  // goes back without an answer
)

// people is what the cloud knows of sign-ins that are under way or have
// happened; guarded by Cloud.mu.
type people struct {
	person    *User // answers Entra's pages by itself; nil for nobody
	does      Deed
	codes     map[string]*authCode
	tickets   map[string]*ticket     // by refresh token
	devices   map[string]*deviceCode // by device code
	interval  time.Duration          // between polls
	slowDowns int                    // so many polls are told to slow down, whatever their pace
}

func newPeople() people {
	return people{
		codes: map[string]*authCode{}, tickets: map[string]*ticket{},
		devices: map[string]*deviceCode{}, interval: 5 * time.Second,
	}
}

// A signIn is that somebody signed in to an application, by whatever way.
type signIn struct {
	user   *User // as the tenant knows them that was signed in to
	client string
	at     time.Time
	met    string // the policy that this sign-in's claims satisfied; "" for none
}

// policy is a tenant's Conditional Access; guarded by Cloud.mu.
type policy struct {
	clients   []string      // applications that people may sign in to
	withheld  []string      // those of them that nobody has consented to
	challenge string        // only sign-ins that met it count; "" for any
	blocked   int           // AADSTS of a policy that nobody can satisfy
	frequency time.Duration // how long a sign-in lasts; 0 for ever
	strict    bool          // a refresh token is good for one use
}

// Person makes somebody sit in front of every browser from now on: they answer
// Entra's pages at once, without a click. A nil user leaves pages to be answered
// by Browse or in a real browser.
func (c *Cloud) Person(u *User, does Deed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people.person, c.people.does = u, does
}

// sitting is who Person put there.
func (c *Cloud) sitting() (*User, Deed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.people.person, c.people.does
}

// Invite makes a person of another directory a guest in this one. Tokens for
// this tenant speak of the guest, who has an object id and roles of their own.
// It panics when the other directory is in another cloud.
func (t *Tenant) Invite(u *User) *User {
	if u.tenant.authority != t.authority {
		panic(fmt.Sprintf("azuretest: %s can't be invited into another cloud", u.upn))
	}
	guest := &User{tenant: t, upn: u.upn, objectID: newGUID(), home: u.self()}
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.principals = append(t.principals, guest)
	return guest
}

// self is who the user is at home.
func (u *User) self() *User {
	if u.home != nil {
		return u.home
	}
	return u
}

// AddPublicClient registers an application without a secret that people may sign
// in to, with http://localhost as its redirect URI and device codes allowed. An
// empty id means a new one. Azure CLI's is registered everywhere.
func (t *Tenant) AddPublicClient(id string) string {
	if id == "" {
		id = newGUID()
	}
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.clients = append(t.policy.clients, strings.ToLower(id))
	return id
}

// WithholdConsent takes back what people of the tenant consented to for an
// application, which they can't give again by themselves (AADSTS65001).
func (t *Tenant) WithholdConsent(client string) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.withheld = append(t.policy.withheld, strings.ToLower(client))
}

// StepUp begins to ask for more than what people have shown so far, as a policy
// for multi-factor authentication does: whoever signed in before, or signs in
// without these claims, is refused with AADSTS50076 and the claims.
func (t *Tenant) StepUp() (claims string) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.challenge = newGUID()
	return claimsFor(t.policy.challenge)
}

// Block refuses everybody by a policy that no sign-in satisfies: an AADSTS number
// such as 53003. Zero ends it, and StepUp's too.
func (t *Tenant) Block(code int) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.blocked = code
	if code == 0 {
		t.policy.challenge = ""
	}
}

// SignInFrequency ends sign-ins after a time, used or not (AADSTS70043).
func (t *Tenant) SignInFrequency(d time.Duration) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.frequency = d
}

// OneUse makes each refresh token good for one use. Entra leaves old ones valid,
// but says that clients must not rely on it.
func (t *Tenant) OneUse() {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.strict = true
}

// RevokeSessions ends every sign-in of the person so far, as an administrator
// does (AADSTS50173).
func (u *User) RevokeSessions() { u.endSessions(50173) }

// ChangePassword ends them because their password is another one (AADSTS50133).
func (u *User) ChangePassword() { u.endSessions(50133) }

// ExpireSessions ends them as 90 days without use do (AADSTS700082).
func (u *User) ExpireSessions() { u.endSessions(700082) }

func (u *User) endSessions(code int) {
	c := u.tenant.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.people.tickets {
		if known.user.self() == u.self() {
			known.ended = code
		}
	}
}

// publicClient tells whether people may sign in to an application at all, and
// whether they may in this tenant; nil stands for the tenantless endpoints.
func (c *Cloud) publicClient(a *authority, t *Tenant, id string) bool {
	id = strings.ToLower(id)
	if id == azureCLI {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.tenants, func(some *Tenant) bool {
		return some.authority == a && (t == nil || t == some) && slices.Contains(some.policy.clients, id)
	})
}

// residents are the people at home or invited in a tenant; of all tenants of the
// authority, those at home, when it is nil.
func (c *Cloud) residents(a *authority, t *Tenant) []*User {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*User
	for _, some := range c.tenants {
		if some.authority != a || t != nil && t != some {
			continue
		}
		for _, p := range some.principals {
			if u, ok := p.(*User); ok && (t != nil || u.home == nil) {
				found = append(found, u)
			}
		}
	}
	return found
}
