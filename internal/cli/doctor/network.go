package doctor

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/managedidentity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// checkProxy finds the proxies of requests, and tries the registry's. ProxyFor removes user
// name and password.
func checkProxy(ctx context.Context, s *session) report.Finding {
	var err error
	host, authority := s.host.String(), s.host.Cloud().Authority
	transport := httpguard.Hardened(s.Transport, s.clients.Getenv)
	if s.proxy, err = httpguard.ProxyFor(transport, host); err != nil {
		return s.failure(err)
	}
	if s.entraProxy, err = httpguard.ProxyFor(transport, authority); err != nil {
		return s.failure(err)
	}
	if s.proxy != "" && s.app != nil {
		s.connect(ctx)
		if fault.Is(s.challengeErr, fault.Proxy, fault.ProxyPassword, fault.ProxyDenied, fault.ProxyFailed) {
			return s.failure(s.challengeErr)
		}
	}
	if s.proxy != s.entraProxy {
		return report.OK("%s %s, %s %s", host, route(s.proxy), authority, route(s.entraProxy))
	}
	return report.OK("%s", cmp.Or(s.proxy, "none"))
}

// connect sends the one request without a token, whose answer several checks read.
func (s *session) connect(ctx context.Context) {
	if s.challenge == (exchange.Challenge{}) && s.challengeErr == nil {
		s.challenge, s.challengeErr = s.app.Exchange.Challenge(ctx, s.host)
	}
}

// route says how a host is reached.
func route(proxy string) string {
	if proxy == "" {
		return "reached directly"
	}
	return "through " + proxy
}

// checkDNS resolves the registry, unless a proxy does: then this computer may have no DNS
// for it.
func checkDNS(ctx context.Context, s *session) report.Finding {
	if s.proxy != "" {
		return report.Skip("the proxy resolves %s", s.host)
	}
	return s.resolve(ctx, s.host.String())
}

// checkEntraDNS leaves out identities for which another program asks Entra, such as az.
func checkEntraDNS(ctx context.Context, s *session) report.Finding {
	authority := s.host.Cloud().Authority
	isAsked := s.id.Kind == identity.User || s.id.Kind.IsApplication() && s.id.Tenant != ""
	switch {
	case !isAsked:
		return report.Skip("this identity does not use %s", authority)
	case s.entraProxy != "":
		return report.Skip("the proxy resolves %s", authority)
	}
	return s.resolve(ctx, authority)
}

// resolve shows the addresses: where DNS isn't set up for a private endpoint, it answers
// with the public address.
func (s *session) resolve(ctx context.Context, host string) report.Finding {
	if s.LookupHost == nil {
		return report.Skip("there is no DNS to ask")
	}
	addresses, err := s.LookupHost(ctx, host)
	if err != nil {
		return s.failure(httpguard.Explain(host, err))
	}
	slices.Sort(addresses)
	fact := host + " resolves to " + strings.Join(addresses, ", ")
	isPrivate := func(address string) bool {
		a, err := netip.ParseAddr(address)
		return err == nil && (a.IsPrivate() || a.IsLinkLocalUnicast())
	}
	if slices.ContainsFunc(addresses, isPrivate) {
		fact += " (private, as with a private endpoint)"
	}
	return report.OK("%s", fact)
}

// checkTLS connects to the registry.
func checkTLS(ctx context.Context, s *session) report.Finding {
	s.connect(ctx)
	switch {
	case s.challenge.Issuer != "":
		return report.OK("certificate issued by %s", s.challenge.Issuer)
	case s.challenge != (exchange.Challenge{}):
		return report.OK("connected")
	}
	return s.failure(s.challengeErr)
}

// clockTolerance is how far off Entra accepts the times in assertions.
const clockTolerance = 5 * time.Minute

// checkClock compares with the registry's clock, because Entra refuses assertions from
// another time.
func checkClock(_ context.Context, s *session) report.Finding {
	if s.challenge.Date.IsZero() {
		return report.Skip("%s sends no Date header", s.host)
	}
	off := s.Now().Sub(s.challenge.Date)
	switch {
	case off > clockTolerance:
		return report.Warn(fault.Clock, "this computer's clock is %s ahead of the registry's", inMinutes(off))
	case off < -clockTolerance:
		return report.Warn(fault.Clock, "this computer's clock is %s behind the registry's", inMinutes(-off))
	}
	return report.OK("within 5 minutes of the registry's")
}

// inMinutes formats a duration without seconds: 3h, 2h30m, 20m.
func inMinutes(d time.Duration) string {
	return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.Round(time.Minute).String())
}

// checkChallenge checks what clients rely on and a get doesn't: a get knows the address
// that issues tokens, and a wrong realm would make clients send the token elsewhere.
func checkChallenge(_ context.Context, s *session) report.Finding {
	c, host := s.challenge, s.host.String()
	switch {
	case s.challengeErr != nil:
		return s.failure(s.challengeErr)
	case c.Scheme == "Basic":
		return report.Fail(fault.ChallengeBasic, "%s asks for a password, not for a token", host)
	case c.Scheme != "Bearer":
		return report.Fail(fault.ChallengeNone, "%s does not say how to sign in", host)
	case c.Realm != "https://"+host+"/oauth2/token", c.Service != host && c.Service != s.host.Global():
		return report.Fail(fault.ChallengeRealm, "%s sends clients to another host for tokens", host)
	}
	return report.OK("Bearer, realm %s", c.Realm)
}

// checkIdentity selects the identity, and says why it is the one.
func checkIdentity(_ context.Context, s *session) report.Finding {
	var err error
	if s.id, err = s.app.Select(s.host); err != nil {
		return s.failure(err)
	}
	switch {
	case s.id.Kind == identity.Anonymous:
		return report.OK("anonymous access, from %s", s.id.Source)
	case s.id.Kind != identity.None:
		return s.lastAttempt(report.OK("%s, from %s", s.id.WithTenant(), s.id.Source))
	case s.id.Reason != "":
		f := report.Warn(fault.NoIdentity, "not signed in (%s)", s.id.Reason)
		f.Hint = cmp.Or(s.failure(s.id.Cause).Hint, f.Hint)
		return f
	}
	return report.Warn(fault.NoIdentity, "not signed in")
}

// lastAttempt adds a failure since the last success, of which some clients show nothing.
func (s *session) lastAttempt(f report.Finding) report.Finding {
	v := s.app.Vault.Open()
	defer v.Close()
	if _, _, failure := v.Peek(s.host, s.id); failure != nil {
		f.Fact += "; the last attempt failed " + cmdutil.Ago(s.Now().Sub(failure.Since)) + ": " +
			cmp.Or(failure.Code, fault.Failed).Meaning()
		if s.report.Registry == "" { // with a registry, the next checks find out whether it still fails
			f.Status, f.Code, f.Hint = report.Warned, cmp.Or(failure.Code, fault.Failed), s.failure(failure).Hint
		}
	}
	return f
}

// checkSignIn signs in as a get does that finds no cached token, or opens the stored
// credential that clients get.
func checkSignIn(ctx context.Context, s *session) report.Finding {
	switch {
	case s.id.IsAnonymous():
		return s.get(ctx, "clients get a stored ACR token")
	case s.id.IsStatic():
		return s.get(ctx, "clients get the stored login verbatim")
	}
	v := s.app.Vault.Open()
	defer v.Close()
	var err error
	s.access, err = s.app.SignIn(ctx, v, s.host, s.id)
	switch {
	case s.id.Detected && managedidentity.HasNone(err):
		return s.get(ctx, "this computer has no managed identity, or several; clients get a stored ACR token")
	case err != nil:
		return s.failure(err)
	}
	return report.OK("signed in as %s", s.id)
}

// get gets a credential as clients do, where no sign-in is needed for that.
func (s *session) get(ctx context.Context, fact string) report.Finding {
	var err error
	s.credential, err = s.app.Get(ctx, s.host.String(), false)
	if _, ok := errors.AsType[*app.NotFoundError](err); ok {
		s.isAnonymous = true
		return report.Skip("there is no identity to sign in; clients continue anonymously")
	}
	if failed, ok := errors.AsType[*app.Error](err); ok {
		err = failed.Err // without the registry, which is known here
	}
	if err != nil {
		return s.failure(err)
	}
	return report.OK("%s", fact)
}

// checkExchange exchanges the token of the sign-in, as a get does then. It caches
// nothing.
func checkExchange(ctx context.Context, s *session) report.Finding {
	if s.access.Value.IsZero() {
		return report.Skip("there is no Microsoft Entra token to exchange")
	}
	token, err := s.app.Exchange.Exchange(ctx, s.host, s.access)
	if err != nil {
		return s.failure(err)
	}
	s.credential = app.Credential{User: registry.NullGUID, Secret: token.Value}
	if token.Expires.IsZero() {
		return report.OK("a token of unknown lifetime, which is not cached")
	}
	return report.OK("a token valid for %s", inMinutes(token.Expires.Sub(token.Issued)))
}

// probe is a repository that need not exist: a registry says what a token would permit,
// not whether there is anything.
const probe = "docker-credential-acr-probe"

// checkPermissions asks for an access token as clients do with the credential that they
// get. It lists nothing, because an identity that may pull need not be allowed to list.
func checkPermissions(ctx context.Context, s *session) report.Finding {
	switch {
	case !s.isAnonymous && s.credential.Secret.IsZero():
		return report.Skip("not tried, because there is no credential for the registry")
	case s.id.Kind == identity.ServicePrincipal && s.id.Tenant == "":
		return report.Skip("not tried: the client sends the secret to the registry, doctor does not")
	}
	c, repository, actions := s.credential, cmp.Or(s.repository, probe), []string{"pull", "push"}
	if s.isAnonymous {
		actions = actions[:1]
	}
	granted, err := s.app.Exchange.Permissions(ctx, s.host, c.User, c.Secret, repository, actions...)
	isRefused := fault.Is(err, fault.RegistryUnauthorized) // it issues no access token at all
	switch {
	case isRefused && s.isAnonymous:
		return report.Fail(fault.AnonymousRefused, "the registry does not allow anonymous access")
	case isRefused && s.id.Kind == identity.RegistryUser:
		return report.Fail(fault.PasswordRefused, "the registry does not accept the stored password of %s", s.id)
	case err != nil && !isRefused:
		return s.failure(err)
	}
	return s.granted(granted)
}

// granted returns the finding for what an access token permits. If the user named no
// repository, no permission is not a failure: with ABAC each repository has conditions of
// its own.
func (s *session) granted(actions []string) report.Finding {
	where := "in " + s.repository
	if s.repository == "" {
		where = "in any repository"
	}
	switch {
	case slices.Contains(actions, "pull") && s.isAnonymous:
		return report.OK("anonymous pull is allowed %s", where)
	case slices.Contains(actions, "pull"):
		return report.OK("allowed: %s %s", strings.Join(actions, ", "), where)
	case s.isAnonymous:
		return report.Fail(fault.AnonymousRefused, "anonymous pull is not allowed %s", where)
	case s.repository == "":
		return report.Warn(fault.PermissionsNone, "no permission to pull %s", where)
	}
	return report.Fail(fault.PermissionsNoPull, "no permission to pull %s", where)
}
