package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/finding"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// checkProxy says which way requests go. A proxy's user name and password are cut off
// where they are read.
func checkProxy(_ context.Context, e *exam) finding.Finding {
	authority := e.host.Cloud().Authority
	toRegistry, err := guard.ProxyOf(e.Transport, e.host.String())
	if err != nil {
		return e.because(err)
	}
	toEntra, err := guard.ProxyOf(e.Transport, authority)
	if err != nil {
		return e.because(err)
	}
	e.viaProxy, e.entraViaProxy = toRegistry != "", toEntra != ""
	switch {
	case toRegistry == "" && toEntra == "":
		return finding.OK("none")
	case toRegistry == toEntra:
		return finding.OK("%s", toRegistry)
	}
	direct := func(proxy string) string {
		if proxy == "" {
			return "reached directly"
		}
		return "through " + proxy
	}
	return finding.OK("%s %s, %s %s", e.host, direct(toRegistry), authority, direct(toEntra))
}

func checkDNS(ctx context.Context, e *exam) finding.Finding {
	if e.viaProxy {
		return finding.Skip("the proxy looks %s up", e.host)
	}
	return e.resolve(ctx, e.host.String())
}

// checkEntraDNS leaves out what others do: az asks Entra itself, and a machine's
// endpoint is no name.
func checkEntraDNS(ctx context.Context, e *exam) finding.Finding {
	authority := e.host.Cloud().Authority
	switch {
	case !asksEntra(e.id):
		return finding.Skip("%s is not asked for this identity", authority)
	case e.entraViaProxy:
		return finding.Skip("the proxy looks %s up", authority)
	}
	return e.resolve(ctx, authority)
}

// asksEntra says whether we sign in to Entra ourselves.
func asksEntra(id identity.Identity) bool {
	_, application := identity.Words[id.Kind]
	return id.Kind == identity.User || application && id.Tenant != ""
}

func (e *exam) resolve(ctx context.Context, host string) finding.Finding {
	if e.Resolve == nil {
		return finding.Skip("there is no name server to ask")
	}
	addresses, err := e.Resolve(ctx, host)
	if err != nil {
		return e.because(guard.Explain(host, err))
	}
	slices.Sort(addresses)
	fact := host + " is " + strings.Join(addresses, ", ")
	if slices.ContainsFunc(addresses, private) {
		fact += " (private, as of a private endpoint)"
	}
	return finding.OK("%s", fact)
}

func private(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && (a.IsPrivate() || a.IsLinkLocalUnicast())
}

// checkTLS makes the one request without a token, whose answer the next checks read.
func checkTLS(ctx context.Context, e *exam) finding.Finding {
	e.greeting, e.unwelcome = e.rooms.Exchange.Challenge(ctx, e.host)
	switch {
	case e.greeting.Issuer != "":
		return finding.OK("certificate by %s", e.greeting.Issuer)
	case e.greeting != (exchange.Challenge{}):
		return finding.OK("connected")
	}
	return e.because(e.unwelcome)
}

// clockTolerance is Entra's for the times in assertions.
const clockTolerance = 5 * time.Minute

func checkClock(_ context.Context, e *exam) finding.Finding {
	if e.greeting.Date.IsZero() {
		return finding.Skip("%s does not say what time it is", e.host)
	}
	off := e.Now().Sub(e.greeting.Date)
	switch {
	case off > clockTolerance:
		return finding.Warn(finding.CodeClock, "this machine's clock is %s ahead of the registry's", inMinutes(off))
	case off < -clockTolerance:
		return finding.Warn(finding.CodeClock, "this machine's clock is %s behind the registry's", inMinutes(-off))
	}
	return finding.OK("right to within 5 minutes")
}

// inMinutes is a duration without seconds: 3h, 2h30m, 20m.
func inMinutes(d time.Duration) string {
	return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.Round(time.Minute).String())
}

// checkChallenge looks at what clients go by, which a get does not: it knows where
// tokens are made, and a realm elsewhere would have clients send them there.
func checkChallenge(_ context.Context, e *exam) finding.Finding {
	c, host := e.greeting, e.host.String()
	switch {
	case e.unwelcome != nil:
		return e.because(e.unwelcome)
	case c.Scheme == "Basic":
		return finding.Fail(finding.CodeBasic, "%s asks for a password, not for a token", host)
	case c.Scheme != "Bearer":
		return finding.Fail(finding.CodeNoChallenge, "%s does not say how to sign in", host)
	case c.Realm != "https://"+host+"/oauth2/token", c.Service != host && c.Service != e.host.Global():
		return finding.Fail(finding.CodeRealm, "%s sends clients elsewhere for tokens", host)
	}
	return finding.OK("Bearer, realm %s", c.Realm)
}
