package azuretest

import (
	"maps"
	"slices"
	"time"
)

// The audiences of tokens that Entra accepts as assertions: those of its clouds (Microsoft Learn, "Configure a
// user-assigned managed identity to trust an external identity provider"), and that of AKS identity bindings.
const (
	TokenExchange      = "api://AzureADTokenExchange"
	TokenExchangeChina = "api://AzureADTokenExchangeChina"
	TokenExchangeUSGov = "api://AzureADTokenExchangeUSGov"
	IdentityBinding    = "api://AKSIdentityBinding"
)

// A federatedCredential is a trusted subject of an issuer.
type federatedCredential struct {
	issuer, subject, audience string
	proxy                     *TokenProxy // nil for Entra's own endpoint
}

// AddFederatedCredential trusts an issuer's tokens for a subject and audience. All three are compared exactly, as
// Entra does. An empty audience means ExchangeAudience.
func (p *ServicePrincipal) AddFederatedCredential(issuer, subject, audience string) {
	if audience == "" {
		audience = p.tenant.ExchangeAudience()
	}
	p.trust(federatedCredential{issuer: issuer, subject: subject, audience: audience})
}

// AddManagedIdentityCredential trusts a managed identity (or any principal): its access token for ExchangeAudience is
// an assertion.
func (p *ServicePrincipal) AddManagedIdentityCredential(other Principal) {
	p.AddFederatedCredential(other.Tenant().Issuer(), other.ObjectID(), "")
}

func (p *ServicePrincipal) trust(credential federatedCredential) {
	p.tenant.cloud.locked(func() { p.federation = append(p.federation, credential) })
}

// Issuer returns the issuer of the tenant's version 2.0 tokens.
func (t *Tenant) Issuer() string { return "https://" + t.authority.hosts[0] + "/" + t.id + "/v2.0" }

// ExchangeAudience returns the audience of assertions in the tenant's cloud.
func (t *Tenant) ExchangeAudience() string { return t.authority.tokenExchange() }

// tokenExchange returns the audience of assertions in the authority's cloud.
func (a *authority) tokenExchange() string {
	switch a.hosts[0] {
	case "login.partner.microsoftonline.cn":
		return TokenExchangeChina
	case "login.microsoftonline.us":
		return TokenExchangeUSGov
	}
	return TokenExchange
}

// An Issuer is an external OpenID provider, such as a Kubernetes cluster or GitLab. Nothing is served at its URL;
// Entra has its key.
type Issuer struct {
	cloud  *Cloud
	url    string
	signer *signer
}

// AddIssuer adds an external issuer. Its URL is https, and has a trailing slash only if the real one has it.
func (c *Cloud) AddIssuer(url string) *Issuer {
	i := &Issuer{cloud: c, url: url, signer: newSigner()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issuers = append(c.issuers, i)
	return i
}

// URL returns the claim iss of the issuer's tokens.
func (i *Issuer) URL() string { return i.url }

// Token returns a new token for a subject. Like Kubernetes', its audience is a list. With a negative ttl it has
// expired already.
func (i *Issuer) Token(subject, audience string, ttl time.Duration) string {
	return i.sign(subject, []string{audience}, ttl)
}

func (i *Issuer) sign(subject string, audience any, ttl time.Duration) string {
	return i.signClaims(subject, audience, ttl, nil)
}

// signClaims signs a token with more claims than the usual ones.
func (i *Issuer) signClaims(subject string, audience any, ttl time.Duration, more map[string]any) string {
	now := i.cloud.Now()
	from := now
	if ttl < 0 {
		from = now.Add(2 * ttl)
	}
	claims := map[string]any{
		"iss": i.url, "sub": subject, "aud": audience, "jti": newGUID(),
		"iat": from.Unix(), "nbf": from.Unix(), "exp": now.Add(ttl).Unix(),
	}
	maps.Copy(claims, more)
	return i.cloud.issue(i.signer, claims)
}

// signerOf returns the signer of an issuer: an Issuer, or Entra itself for tokens of managed identities. It is nil
// for an unknown issuer.
func (c *Cloud) signerOf(issuer string) *signer {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range c.issuers {
		if i.url == issuer {
			return i.signer
		}
	}
	if slices.ContainsFunc(c.tenants, func(t *Tenant) bool { return t.Issuer() == issuer }) {
		return c.signer
	}
	return nil
}

// federatedAssertion checks an external token against the application's federated credentials. It returns the AADSTS
// code of a refusal, or 0.
func (q *entraRequest) federatedAssertion(app *ServicePrincipal, a *assertion) int {
	proxy, _ := q.r.Context().Value(proxyKey{}).(*TokenProxy)
	q.cloud.mu.Lock()
	candidates := slices.Clone(app.federation)
	q.cloud.mu.Unlock()
	filter := func(matches func(federatedCredential) bool) bool {
		candidates = slices.DeleteFunc(candidates, func(c federatedCredential) bool { return !matches(c) })
		return len(candidates) > 0
	}
	if !filter(func(c federatedCredential) bool { return c.proxy == proxy && c.issuer == a.claims.Iss }) {
		return 700211
	}
	key := q.cloud.signerOf(a.claims.Iss)
	if key == nil || key.verify(a.raw, &assertionClaims{}) != nil {
		return 50013
	}
	switch {
	case !filter(func(c federatedCredential) bool { return slices.Equal(a.claims.Aud, audiences{c.audience}) }):
		return 700212
	case !filter(func(c federatedCredential) bool { return c.subject == a.claims.Sub }):
		return 700213
	case !a.isCurrent(q.cloud.Now()):
		return 700024
	}
	return 0
}
