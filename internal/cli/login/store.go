package login

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/clients"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// store verifies the sign-in at the registry, stores the login, and says who is signed
// in.
func (a *attempt) store(ctx context.Context) error {
	token, err := a.exchange(ctx)
	if err != nil {
		return a.failed(a.signedIn(), "exchanging the token of "+a.signedIn().WithTenant(),
			fmt.Errorf("%w; nothing was stored", err))
	}
	ctx, cancel := context.WithTimeout(ctx, cmdutil.WriteTimeout)
	defer cancel()
	if err := a.recordKeyring(); err != nil {
		return err
	}
	stored, err := a.app.StoreLogin(ctx, a.vault, a.login, a.secret)
	if err == nil && a.login.Kind == identity.Anonymous { // stored tokens would still be used
		_, err = a.vault.Erase(ctx, "", a.app.Covers(a.target))
	}
	if err != nil {
		return a.failed(a.login.Identity(), "can't store the login", err)
	}
	a.cache(ctx, stored, token)
	a.report(token)
	a.app.WarnOfLoss(a.vault, stored)
	if p := a.previous; p != nil && p.User != "" && !strings.EqualFold(p.User, a.login.User) {
		a.app.Log.Warn(fmt.Sprintf("%s: until now you were signed in as %s", a.target, p))
	}
	a.nextStep()
	return nil
}

// signedIn returns the identity that has signed in, for messages.
func (a *attempt) signedIn() identity.Identity {
	id := a.login.Identity()
	id.Tenant = cmp.Or(id.Tenant, a.id.Tenant)
	return id
}

// report says who is signed in. A token is one of the sign-in's; the zero value for none.
func (a *attempt) report(token secret.Token) {
	switch {
	case a.login.Kind == identity.Anonymous:
		a.Markf(screen.OK, "%s: set to anonymous access; to undo, run: %s logout %s",
			a.target, cmdutil.Program, text.Quote(a.target))
	case a.login.Kind == identity.RegistryUser:
		a.Markf(screen.OK, "%s: signed in as %s", a.target, a.login)
	case !token.Expires.IsZero():
		a.Markf(screen.OK, "%s: signed in as %s; the token is valid until %s and renewed automatically",
			a.target, a.signedIn().WithTenant(), token.Expires.Local().Format("15:04"))
	default:
		a.Markf(screen.OK, "%s: signed in as %s; a token is requested on first use",
			a.target, a.signedIn().WithTenant())
	}
}

// nextStep tells the user how clients come to use the login, if none does.
func (a *attempt) nextStep() {
	c, which := clients.New(a.Getenv(), a.app.Clouds), a.target
	var found report.Finding
	if a.target != a.host.String() {
		found, which = c.All(), "REGISTRY"
	} else if found = c.Docker(a.host); found.Status == report.Skipped { // there is no Docker
		found = c.Podman(a.host)
	}
	isDocker := found.Code == fault.DockerNotConfigured && found.Status == report.Failed // else Podman uses it
	switch {
	case !isDocker && found.Code != fault.PodmanNotConfigured:
	case a.StdoutIsTerminal:
		a.Markf(screen.Warning, "Docker and Podman do not use this helper for %s yet. Run:", a.target)
		a.Resultf("    %s configure %s", cmdutil.Program, which)
	default:
		a.app.Log.Warn(fmt.Sprintf("Docker and Podman do not use this helper for %s yet. Run: %s configure %s",
			a.target, cmdutil.Program, which))
	}
}

// exchange exchanges the sign-in's token at the registry. A pattern names no registry,
// and a registry user has been verified already.
func (a *attempt) exchange(ctx context.Context) (secret.Token, error) {
	if a.target != a.host.String() || a.access.Value.IsZero() {
		return secret.Token{}, nil
	}
	defer a.Waiting("asking " + a.target + " for a token")()
	return a.app.Exchange.Exchange(ctx, a.host, a.access)
}

// cache stores the sign-in's token, which saves the first get an exchange, if the
// identity that is selected now is the one that obtained it: the user may have signed in
// to Azure CLI, or here, as another user meanwhile.
func (a *attempt) cache(ctx context.Context, stored identity.Login, token secret.Token) {
	signedIn := a.id
	if stored.HasSecret() {
		signedIn, _ = a.selector.SelectLogin(a.host, stored)
	}
	now, err := a.selector.Select(a.host)
	if err == nil && now.Equal(signedIn) && !now.Uncached && !token.Expires.IsZero() {
		_ = a.vault.PutToken(ctx, a.host, now, token, "")
	}
}
