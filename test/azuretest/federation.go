package azuretest

import (
	"slices"
	"strings"
	"time"
)

// The audiences of tokens that are assertions to Entra: those of its clouds
// (Microsoft Learn, "Configure a user-assigned managed identity to trust an
// external identity provider"), and that of AKS identity bindings.
const (
	TokenExchange      = "api://AzureADTokenExchange"
	TokenExchangeChina = "api://AzureADTokenExchangeChina"
	TokenExchangeUSGov = "api://AzureADTokenExchangeUSGov"
	IdentityBinding    = "api://AKSIdentityBinding"
)

// A federatedCredential is a trust in one subject of one issuer.
type federatedCredential struct {
	issuer, subject, audience string
	via                       *TokenProxy // nil for Entra's own endpoint
}

// AddFederatedCredential trusts the tokens that an issuer gives to a subject for an
// audience. All three are compared to the letter, as Entra does. An empty audience
// means the one of the tenant's cloud.
func (p *ServicePrincipal) AddFederatedCredential(issuer, subject, audience string) {
	if audience == "" {
		audience = p.tenant.authority.tokenExchange()
	}
	p.trust(federatedCredential{issuer: issuer, subject: subject, audience: audience})
}

// AddManagedIdentityCredential trusts a managed identity (or any principal): its
// access token for the cloud's token exchange is an assertion.
func (p *ServicePrincipal) AddManagedIdentityCredential(other Principal) {
	p.AddFederatedCredential(other.Tenant().Issuer(), other.ObjectID(), "")
}

func (p *ServicePrincipal) trust(credential federatedCredential) {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	p.federation = append(p.federation, credential)
}

// Issuer is the issuer of the tenant's version 2.0 tokens.
func (t *Tenant) Issuer() string { return "https://" + t.authority.hosts[0] + "/" + t.id + "/v2.0" }

// tokenExchange is the audience of assertions in the authority's cloud.
func (a *authority) tokenExchange() string {
	switch a.hosts[0] {
	case "login.partner.microsoftonline.cn":
		return TokenExchangeChina
	case "login.microsoftonline.us":
		return TokenExchangeUSGov
	}
	return TokenExchange
}

// An Issuer signs tokens about subjects of its own: a Kubernetes cluster, GitLab
// or any other OpenID provider. Nothing is served under its URL; Entra knows its
// key.
type Issuer struct {
	cloud  *Cloud
	url    string
	signer *signer
}

// AddIssuer adds an issuer of external tokens. Its url is https, without a slash
// at the end unless the real one has it.
func (c *Cloud) AddIssuer(url string) *Issuer {
	// The cloud's key under a name of its own: making one takes a while, and names
	// tell issuers apart as well.
	i := &Issuer{cloud: c, url: url, signer: &signer{kid: randomText(20), key: c.signer.key}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issuers = append(c.issuers, i)
	return i
}

// URL is the issuer's name, the claim iss.
func (i *Issuer) URL() string { return i.url }

// Token makes a token about a subject, with the list of one audience that
// Kubernetes writes. A ttl below zero makes one that has expired already.
func (i *Issuer) Token(subject, audience string, ttl time.Duration) string {
	return i.sign(subject, []string{audience}, ttl)
}

func (i *Issuer) sign(subject string, audience any, ttl time.Duration) string {
	now := i.cloud.Now()
	from := now
	if ttl < 0 {
		from = now.Add(2 * ttl)
	}
	token := i.signer.sign(map[string]any{
		"iss": i.url, "sub": subject, "aud": audience, "jti": newGUID(),
		"iat": from.Unix(), "nbf": from.Unix(), "exp": now.Add(ttl).Unix(),
	})
	i.cloud.canaries.add(token)
	return token
}

// issuerKey finds who signs in an issuer's name: an Issuer, or Entra itself for
// the tokens of managed identities.
func (c *Cloud) issuerKey(issuer string) *signer {
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

// federated checks an external token against the credentials of the application.
// It returns the code of a refusal, or 0.
func (q *entraRequest) federated(app *ServicePrincipal, a *assertion) int {
	proxy, _ := q.r.Context().Value(proxyKey{}).(*TokenProxy)
	q.cloud.mu.Lock()
	left := slices.Clone(app.federation)
	q.cloud.mu.Unlock()
	narrow := func(fits func(federatedCredential) bool) bool {
		left = slices.DeleteFunc(left, func(c federatedCredential) bool { return !fits(c) })
		return len(left) > 0
	}
	if !narrow(func(c federatedCredential) bool { return c.via == proxy && c.issuer == a.claims.Iss }) {
		return 700211
	}
	key := q.cloud.issuerKey(a.claims.Iss)
	if key == nil || key.verify(a.raw, &assertionClaims{}) != nil {
		return 50013
	}
	switch {
	case !narrow(func(c federatedCredential) bool { return slices.Equal(a.claims.Aud, audiences{c.audience}) }):
		return 700212
	case !narrow(func(c federatedCredential) bool { return c.subject == a.claims.Sub }):
		return 700213
	case !a.timely(q.cloud.Now()):
		return 700024
	}
	return 0
}

// exchanges tells whether a resource is Entra's token exchange, whose tokens are of
// version 2.0.
func exchanges(resource string) bool {
	return slices.Contains([]string{TokenExchange, TokenExchangeChina, TokenExchangeUSGov}, strings.TrimSuffix(resource, "/"))
}
