package azuretest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A User is a user's account in one tenant. Users sign in on Entra's pages; AccessToken is for stubs of tools where
// they are signed in already.
type User struct {
	account
	upn  string
	home *User // a guest's account in the home tenant; nil for a member
}

// AddUser adds a user to the tenant, under a user principal name such as ada@contoso.com. Other tenants Invite the
// user as a guest.
func (t *Tenant) AddUser(upn string) *User {
	u := &User{account: t.newAccount(), upn: upn}
	t.addPrincipal(u)
	return u
}

// Invite adds a user of another tenant as a guest. Tokens for this tenant are the guest's, with an object ID and
// roles of its own. It panics if the other tenant is in another cloud.
func (t *Tenant) Invite(u *User) *User {
	if u.tenant.authority != t.authority {
		panic(fmt.Sprintf("azuretest: %s can't be invited into another cloud", u.upn))
	}
	guest := &User{account: t.newAccount(), upn: u.upn, home: u.homeAccount()}
	t.addPrincipal(guest)
	return guest
}

// UPN returns the user principal name.
func (u *User) UPN() string { return u.upn }

// AccessToken implements Principal.
func (u *User) AccessToken(audience string, ttl time.Duration) string {
	return u.tenant.accessToken(u, audience, ttl)
}

func (u *User) subject() string { return u.upn }

// azureCLI is the application that users sign in to when they run az.
const azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

func (u *User) describe(c *entraClaims) {
	c.AppID, c.AppIDACR, c.IDType = azureCLI, "0", "user"
	c.Sub, c.UPN, c.UniqueName, c.Scope = u.objectID, u.upn, u.upn, "user_impersonation"
	if home := u.homeAccount().tenant; home != u.tenant {
		c.IDP = "https://" + home.authority.sts + "/" + home.id + "/"
	}
}

// homeAccount returns the user's account in the home tenant.
func (u *User) homeAccount() *User {
	if u.home != nil {
		return u.home
	}
	return u
}

// A PageAction is what a user does on one of Entra's pages.
type PageAction string

const (
	SignIn  PageAction = "sign-in"
	Decline PageAction = "decline" // the user doesn't consent
	Cancel  PageAction = "cancel"  // the user leaves the page
)

// signInState holds sign-ins and the tokens that they led to; guarded by Cloud.mu.
type signInState struct {
	browserUser   *User // answers Entra's pages automatically; may be nil
	browserAction PageAction
	codes         map[string]*authCode
	refreshTokens map[string]*entraRefreshToken
	devices       map[string]*deviceCode // by device code
	pollInterval  time.Duration
	slowDowns     int // how many more polls to refuse, whatever their interval
}

func newSignInState() signInState {
	return signInState{
		codes: map[string]*authCode{}, refreshTokens: map[string]*entraRefreshToken{},
		devices: map[string]*deviceCode{}, pollInterval: 5 * time.Second,
	}
}

// A signIn is a user's sign-in to an application.
type signIn struct {
	user   *User // the account in the tenant signed in to
	client string
	at     time.Time
	policy string // the policy satisfied by the claims of this sign-in; may be empty
}

// SetBrowserUser makes a user answer Entra's pages at once, without a click, in every browser. A nil user ends that:
// pages wait for Browse or for a real browser.
func (c *Cloud) SetBrowserUser(u *User, action PageAction) {
	c.locked(func() { c.signIns.browserUser, c.signIns.browserAction = u, action })
}

// browserUser returns what SetBrowserUser set.
func (c *Cloud) browserUser() (*User, PageAction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signIns.browserUser, c.signIns.browserAction
}

// AddPublicClient registers an application without a secret that users can sign in to, with the redirect URI
// http://localhost and device codes allowed. An empty ID means a new one. Azure CLI is registered in every tenant.
func (t *Tenant) AddPublicClient(id string) string {
	if id == "" {
		id = newGUID()
	}
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.clients = append(t.policy.clients, id)
	return id
}

// isPublicClient reports whether users can sign in to an application in this tenant; nil means any tenant of the
// authority.
func (c *Cloud) isPublicClient(a *authority, t *Tenant, id string) bool {
	if strings.EqualFold(id, azureCLI) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.tenants, func(other *Tenant) bool {
		return other.authority == a && (t == nil || t == other) && containsFold(other.policy.clients, id)
	})
}

// usersOf returns the members and guests of a tenant, or for nil the members of all tenants of the authority.
func (c *Cloud) usersOf(a *authority, t *Tenant) []*User {
	c.mu.Lock()
	defer c.mu.Unlock()
	var users []*User
	for _, other := range c.tenants {
		if other.authority != a || t != nil && t != other {
			continue
		}
		for _, p := range other.principals {
			if u, ok := p.(*User); ok && (t != nil || u.home == nil) {
				users = append(users, u)
			}
		}
	}
	return users
}

// account returns a user's account in this tenant, or nil.
func (t *Tenant) account(u *User) *User {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	return t.accountLocked(u)
}

// accountLocked is account for callers that hold Cloud.mu.
func (t *Tenant) accountLocked(u *User) *User {
	for _, p := range t.principals {
		if known, ok := p.(*User); ok && known.homeAccount() == u.homeAccount() {
			return known
		}
	}
	return nil
}

// RevokeSessions invalidates the user's refresh tokens so far, as an administrator does (AADSTS50173).
func (u *User) RevokeSessions() {
	c := u.tenant.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, token := range c.signIns.refreshTokens {
		if token.user.homeAccount() == u.homeAccount() {
			token.ended = 50173
		}
	}
}
