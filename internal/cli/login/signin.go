package login

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/clientcredential"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/user"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// browser signs a user in with a browser on this computer.
func (a *attempt) browser(ctx context.Context) error {
	a.login.Method = identity.MethodBrowser
	return a.user(ctx, func(r user.Request) (user.Result, error) {
		return a.app.Entra.Users().Browser(ctx, r, func(address string) {
			a.Note("waiting for you to sign in with your browser. If no browser opens, go to the address below; " +
				"if this computer has none, use --device-code:")
			a.Notef("%s", address)
			_ = a.app.Entra.Tools().Browse(address)
		})
	})
}

// deviceCode signs a user in with a browser on any computer.
func (a *attempt) deviceCode(ctx context.Context) error {
	a.login.Method = identity.MethodDeviceCode
	return a.user(ctx, func(r user.Request) (user.Result, error) {
		stop := a.Waiting("asking Microsoft Entra ID for a code")
		defer stop()
		return a.app.Entra.Users().DeviceCode(ctx, r, func(d user.DeviceCode) {
			stop()
			a.Notef("to sign in, open %s in any browser and enter the code %s (expires at %s)",
				d.URL, d.UserCode, d.Expires.Local().Format("15:04"))
		})
	})
}

// user signs a user in, once more if Entra demands more than it got, such as a second
// factor. The challenge of the last refusal is sent along, so that Conditional Access
// gets what it demands.
func (a *attempt) user(ctx context.Context, signIn func(user.Request) (user.Result, error)) error {
	a.fillIn(ctx)
	if a.login.ClientID == "" {
		a.login.ClientID = azureCLIClientID
		a.Notef("signing in to Azure CLI's application; to use your organization's application, use --client-id ID")
	}
	id, err := a.selector.SelectLogin(a.host, a.login)
	if err != nil {
		return err
	}
	a.warnOfTenant(ctx, id.Tenant)
	a.noteTenant(ctx)
	r := user.Request{
		ClientID: id.ClientID, Tenant: id.Tenant, Cloud: a.host.Cloud(), Audience: id.Audience, LoginHint: a.loginHint,
	}
	if a.previous != nil && a.previous.Kind == identity.User {
		if state, err := a.vault.Secret(ctx, *a.previous); err == nil {
			r.Claims = user.StoredClaims(state)
		}
	}
	result, err := signIn(r)
	if claims := user.ClaimsChallenge(err); claims != "" && claims != r.Claims {
		a.Notef("%v; sign in again", err)
		r.Claims = claims
		result, err = signIn(r)
	}
	a.login.Tenant, a.login.User, a.secret, a.access = result.Tenant, result.User, result.State, result.Access
	return err
}

// servicePrincipal signs a service principal in with a secret.
func (a *attempt) servicePrincipal(ctx context.Context) (err error) {
	if err = a.requireApplication(ctx); err != nil {
		return err
	}
	if a.secret, err = a.readSecret("client secret of " + a.login.ClientID); err != nil {
		return err
	}
	return a.signIn(ctx)
}

// certificate signs a service principal in with a certificate. Its content is stored
// without the password, because the vault encrypts it better.
func (a *attempt) certificate(ctx context.Context) (err error) {
	a.login.Method = identity.MethodCertificate
	if err = a.requireApplication(ctx); err != nil {
		return err
	}
	const limit = 1 << 20 // far above a certificate with its chain
	path := a.certificateFile
	content, err := safefile.ReadAny(path, limit)
	if err != nil {
		return fmt.Errorf("can't read the certificate: %s: %w", path, err)
	}
	file := identity.Certificate{Content: secret.New(string(content))}
	cert, err := clientcredential.LoadCertificate(ctx, file)
	if fault.Is(err, fault.CertificatePassword) {
		if file.Password, err = a.readSecret("password of " + path); err != nil {
			return err
		}
		cert, err = clientcredential.LoadCertificate(ctx, file)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if a.secret, err = cert.PEM(); err != nil {
		return err
	}
	return a.signIn(ctx)
}

// federatedToken signs an application in with the token in a file.
func (a *attempt) federatedToken(ctx context.Context) (err error) {
	if a.login.TokenFile, err = filepath.Abs(a.login.TokenFile); err != nil {
		return err
	}
	if err = a.requireApplication(ctx); err != nil {
		return err
	}
	return a.reference(ctx)
}

// reference stores no secret, only where the credential is.
func (a *attempt) reference(ctx context.Context) error {
	l := a.login
	entry := config.Entry{
		Identity: l.Kind, ClientID: l.ClientID, ObjectID: l.ObjectID, ResourceID: l.ResourceID, TokenFile: l.TokenFile,
	}
	if err := entry.Validate(); err != nil {
		return cmdutil.UsageErrorf("%s", flagOf.Replace(err.Error()))
	}
	return a.signIn(ctx)
}

// flagOf turns keys of the config file into the flags that were typed.
var flagOf = strings.NewReplacer("clientId", "--client-id", "objectId", "--object-id", "resourceId", "--resource-id")

// requireApplication completes client ID and tenant, before the user types a secret.
func (a *attempt) requireApplication(ctx context.Context) error {
	l := &a.login
	if l.ClientID == identity.AzureCLIClient {
		return cmdutil.UsageErrorf("--client-id %s works only with --browser and --device-code; "+
			"use the ID of your own application", identity.AzureCLIClient)
	}
	a.fillIn(ctx)
	switch {
	case l.ClientID == "" && l.Tenant == "":
		return cmdutil.UsageErrorf("--client-id and --tenant are required")
	case !text.IsGUID(l.ClientID):
		return cmdutil.UsageErrorf("--client-id is required")
	case l.Tenant == "":
		return cmdutil.UsageErrorf("--tenant is required")
	}
	a.warnOfTenant(ctx, l.Tenant)
	return nil
}

// azureCLIClientID is the application of Azure CLI, a public client that every tenant
// knows. Tenants see a user who signs in to it as a user of Azure CLI.
const azureCLIClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// fillIn takes what was not typed from the last login of the same kind, or from the
// config file. Without both, the tenant is the one that is named for the registry.
func (a *attempt) fillIn(ctx context.Context) {
	l := &a.login
	if p := a.previous; p != nil && p.Kind == l.Kind {
		l.ClientID, l.Tenant = cmp.Or(l.ClientID, p.ClientID), cmp.Or(l.Tenant, p.Tenant)
	}
	if a.entry.Identity == l.Kind {
		l.ClientID = cmp.Or(l.ClientID, a.entry.ClientID)
	}
	l.Tenant = cmp.Or(l.Tenant, a.entry.Tenant)
	if l.Tenant == "" {
		l.Tenant = cmp.Or(a.registryTenant(ctx), a.selector.TenantFor(a.host))
	}
	if l.ClientID == identity.AzureCLIClient {
		l.ClientID = azureCLIClientID
	}
}

// signIn signs in as a login says, with its secret if it has one.
func (a *attempt) signIn(ctx context.Context) (err error) {
	if a.id, err = a.selector.SelectLogin(a.host, a.login); err != nil {
		return &app.Error{Registry: a.target, Identity: a.id, Err: err}
	}
	if a.login.Kind == identity.Anonymous {
		return nil
	}
	if a.login.Kind == identity.AzureCLI {
		a.warnOfTenant(ctx, a.id.Tenant)
	}
	id := a.id
	if a.login.HasSecret() {
		id = id.WithSecret(a.secret)
	}
	defer a.Waiting("signing in as " + id.String())()
	if a.access, err = a.app.Entra.AccessToken(ctx, id, a.host.Cloud()); err != nil {
		return a.failed(a.id, "signing in as "+id.String(), err)
	}
	a.login.User = id.User
	return nil
}

// registryUser stores a registry user, whom Entra doesn't know.
func (a *attempt) registryUser(ctx context.Context) (err error) {
	switch {
	case a.target != a.host.String():
		return cmdutil.UsageErrorf("--username needs a single registry, not a pattern")
	case strings.TrimSpace(a.login.User) == "":
		return cmdutil.UsageErrorf("--username is empty")
	case text.IsGUID(a.login.User): // whose secret would go to the registry at each pull
		return cmdutil.UsageErrorf("%s is an application's ID: use --service-principal --client-id %[1]s", a.login.User)
	}
	if a.secret, err = a.readSecret("password for " + a.login.User); err != nil {
		return err
	}
	defer a.Waiting("signing in as " + a.login.String())()
	if err := a.app.Exchange.CheckPassword(ctx, a.host, a.login.User, a.secret); err != nil {
		return a.failed(a.login.Identity(), "signing in as "+a.login.String(), err)
	}
	return nil
}

// readSecret reads a secret from where the flags say that it is.
func (a *attempt) readSecret(what string) (secret.String, error) {
	return a.ReadSecret(what, a.secretFile, a.isTyped("password-stdin"))
}
