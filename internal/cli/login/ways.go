package login

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/assertion"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/signin"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// browser signs a person in with a browser on this machine.
func (a *attempt) browser(ctx context.Context) (proven, error) {
	request, err := a.request(ctx)
	if err != nil {
		return proven{}, err
	}
	request.Open = a.rooms.Entra.Tools.Browse
	request.Show = func(address string) {
		fmt.Fprintf(a.Stderr, "waiting for you to sign in with a browser; if none opens, open this address on this machine:\n%s\n", address)
	}
	result, err := a.signIn(request, func(r signin.Request) (signin.Result, error) { return a.rooms.Entra.Person().Browser(ctx, r) })
	return a.person(request, result, identity.MethodBrowser), err
}

// deviceCode signs a person in with a browser anywhere.
func (a *attempt) deviceCode(ctx context.Context) (proven, error) {
	request, err := a.request(ctx)
	if err != nil {
		return proven{}, err
	}
	result, err := a.signIn(request, func(r signin.Request) (signin.Result, error) {
		over := a.Waiting("asking Microsoft Entra for a code")
		defer over()
		return a.rooms.Entra.Person().DeviceCode(ctx, r, func(d signin.DeviceCode) {
			over()
			fmt.Fprintf(a.Stderr, "to sign in, open %s in any browser and enter the code %s (waiting until %s)\n",
				d.URL, d.UserCode, d.Expires.Local().Format("15:04"))
		})
	})
	return a.person(request, result, identity.MethodDeviceCode), err
}

// signIn does it once more where Entra asks the first time for more than it was shown,
// as for a second factor.
func (a *attempt) signIn(r signin.Request, once func(signin.Request) (signin.Result, error)) (signin.Result, error) {
	result, err := once(r)
	if asked := signin.Asked(err); asked != "" && asked != r.Claims {
		fmt.Fprintf(a.Stderr, "%v: once more, please\n", err)
		r.Claims = asked
		result, err = once(r)
	}
	return result, err
}

// request is what a person is asked to sign in to. The challenge of the last
// refusal goes with it, so that Conditional Access gets what it asked for.
func (a *attempt) request(ctx context.Context) (signin.Request, error) {
	client := a.clientID(identity.User)
	if client == "" {
		return signin.Request{}, mistype.Errorf("%s", a.withoutClient())
	}
	id, err := a.rooms.Identities.As(a.host, identity.Login{Server: a.target, Kind: identity.User})
	if err != nil {
		return signin.Request{}, err
	}
	r := signin.Request{
		ClientID: client, Tenant: a.tenant(identity.User), Cloud: a.host.Cloud(), Audience: id.Audience, LoginHint: a.flags.as,
	}
	if a.before != nil && a.before.Kind == identity.User {
		if memory, err := a.rooms.Vault.Secret(ctx, *a.before); err == nil {
			r.Claims = signin.Claims(memory)
		}
	}
	return r, nil
}

// withoutClient says what to do without an application of one's own.
func (a *attempt) withoutClient() string {
	why := "say which application to sign in to: --client-id with the id of your organisation's, or --client-id " + identity.AzureCLIWord + " for Azure CLI's own"
	if _, err := a.rooms.Identities.As(a.host, identity.Login{Server: a.target, Kind: identity.AzureCLI}); err == nil {
		why += "; Azure CLI is signed in, so --azure-cli would do, too"
	}
	return why
}

func (a *attempt) person(r signin.Request, result signin.Result, method string) proven {
	return proven{
		Login:  identity.Login{Kind: identity.User, Tenant: result.Tenant, ClientID: r.ClientID, User: result.User, Method: method},
		sealed: result.Memory, access: result.Access,
	}
}

// servicePrincipal signs an application in with a secret.
func (a *attempt) servicePrincipal(ctx context.Context) (proven, error) {
	l, err := a.applicationLogin(identity.Login{Kind: identity.ServicePrincipal})
	if err != nil {
		return proven{}, err
	}
	value, err := a.readSecret("the client secret of " + l.ClientID)
	if err != nil {
		return proven{}, err
	}
	return a.application(ctx, l, value)
}

// maxCertificate is far above a certificate with its chain.
const maxCertificate = 1 << 20

// certificate signs an application in with a certificate, and keeps its content
// without the password: the vault seals it better.
func (a *attempt) certificate(ctx context.Context) (proven, error) {
	l, err := a.applicationLogin(identity.Login{
		Kind: identity.ServicePrincipal, Method: identity.MethodCertificate, SendChain: a.flags.sendChain,
	})
	if err != nil {
		return proven{}, err
	}
	content, err := desk.ReadFile(a.flags.certificate, maxCertificate)
	if err != nil {
		return proven{}, fmt.Errorf("reading the certificate: %w", err)
	}
	file := identity.Certificate{Content: secret.New(string(content))}
	opened, err := assertion.LoadCertificate(file)
	if encrypted(err) {
		if file.Password, err = a.readSecret("the password of " + a.flags.certificate); err != nil {
			return proven{}, err
		}
		opened, err = assertion.LoadCertificate(file)
	}
	if err != nil {
		return proven{}, fmt.Errorf("%s: %w", a.flags.certificate, err)
	}
	pem, err := opened.PEM()
	if err != nil {
		return proven{}, err
	}
	return a.application(ctx, l, pem)
}

func encrypted(err error) bool {
	var failed *assertion.Error
	return errors.As(err, &failed) && failed.Code() == assertion.CodePassword
}

// applicationLogin says which application, before anybody types its secret.
func (a *attempt) applicationLogin(l identity.Login) (identity.Login, error) {
	l.ClientID, l.Tenant = a.clientID(l.Kind), a.tenant(l.Kind)
	if a.flags.clientID == identity.AzureCLIWord {
		return l, mistype.Errorf("--client-id %s is for people: say the application's own id", identity.AzureCLIWord)
	}
	switch {
	case l.ClientID == "" && l.Tenant == "":
		return l, mistype.Errorf("say which application: --client-id and --tenant")
	case !identity.IsGUID(l.ClientID):
		return l, mistype.Errorf("say which application: --client-id")
	case l.Tenant == "":
		return l, mistype.Errorf("say which tenant the application is signed in to: --tenant")
	}
	return l, nil
}

// registryUser keeps a user of the registry itself, whom Entra doesn't know.
func (a *attempt) registryUser(ctx context.Context) (proven, error) {
	if a.target != a.host.String() {
		return proven{}, mistype.Errorf("name the one registry that %s is a user of", a.flags.username)
	}
	switch name := a.flags.username; {
	case strings.TrimSpace(name) == "":
		return proven{}, mistype.Errorf("say which user: --username")
	case identity.IsGUID(name): // the secret itself would go to the registry at each pull
		return proven{}, mistype.Errorf("%s is an application's id: say --service-principal --client-id %[1]s", name)
	}
	value, err := a.readSecret("the password of " + a.flags.username)
	if err != nil {
		return proven{}, err
	}
	l := identity.Login{Kind: identity.RegistryUser, User: a.flags.username}
	defer a.Waiting("signing in as " + l.Who())()
	if err := a.rooms.Exchange.CheckPassword(ctx, a.host, l.User, value); err != nil {
		return proven{}, a.failed(proven{Login: l}, fmt.Errorf("signing in as %s: %w", l.Who(), err))
	}
	return proven{Login: l, sealed: value}, nil
}

// application tries an application's login.
func (a *attempt) application(ctx context.Context, l identity.Login, value secret.String) (proven, error) {
	id, err := a.rooms.Identities.As(a.host, l)
	if err != nil {
		return proven{}, err
	}
	defer a.Waiting("signing in as " + id.String())()
	access, err := a.rooms.Entra.AccessToken(ctx, id.WithSecret(value), a.host.Cloud())
	if err != nil {
		return proven{}, a.failed(proven{Login: l}, fmt.Errorf("signing in as %s: %w", id, err))
	}
	return proven{Login: l, sealed: value, access: access}, nil
}

// keyless records who to be where the proof lies elsewhere.
func (a *attempt) keyless(kind identity.Kind) func(context.Context) (proven, error) {
	return func(ctx context.Context) (proven, error) {
		f := a.flags
		l := identity.Login{Kind: kind, Tenant: f.tenant, ClientID: f.clientID, ObjectID: f.objectID, ResourceID: f.resourceID, Subscription: f.subscription}
		if f.tokenFile != "" {
			path, err := filepath.Abs(f.tokenFile)
			if err != nil {
				return proven{}, err
			}
			l.TokenFile = path
			if l, err = a.applicationLogin(l); err != nil {
				return proven{}, err
			}
		}
		entry := config.Entry{Identity: l.Kind, ClientID: l.ClientID, ObjectID: l.ObjectID, ResourceID: l.ResourceID, TokenFile: l.TokenFile}
		if err := entry.Valid(); err != nil {
			return proven{}, mistype.Errorf("%w", err)
		}
		id, err := a.rooms.Identities.As(a.host, l)
		if err != nil || kind == identity.Anonymous {
			return proven{Login: l}, err
		}
		defer a.Waiting("signing in as " + id.String())()
		access, err := a.rooms.Entra.AccessToken(ctx, id, a.host.Cloud())
		if err != nil {
			return proven{}, a.failed(proven{Login: l}, fmt.Errorf("signing in as %s: %w", id, err))
		}
		l.User = id.User
		return proven{Login: l, id: id, access: access}, nil
	}
}

// readSecret reads a secret from where it was said to be.
func (a *attempt) readSecret(what string) (secret.String, error) {
	if a.flags.secretFile != "" {
		return a.SecretFile(what, a.flags.secretFile)
	}
	return a.Secret(what, slices.Contains(a.flags.typed, "password-stdin"))
}
