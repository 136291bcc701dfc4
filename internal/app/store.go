package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// What the user is told about a login that is stored.
const (
	warnKernel = "this login is stored in the kernel keyring, so it is lost at reboot or after 3 days without use. " +
		"To keep it, run: "
	warnNamespace = "this login is stored in the kernel keyring of this user namespace, so it is lost when " +
		"the namespace ends, and can't be used outside it. To keep it, run: "
	warnTenant = "the tenant of this service principal is unknown, so its secret is sent to the registry instead of a " +
		"token. Set AZURE_TENANT_ID and run docker login again"
	warnToken = "this login expires at %s: it is a token, which can't be renewed. Run: docker-credential-acr login %s"
)

// Store stores what docker login sends; the user name tells what it is. The null GUID or
// <token> comes with an ACR token: it is ignored where an identity is selected for the
// registry, and otherwise kept until it ends. A GUID comes with the secret of a service
// principal, which is exchanged from now on; until its tenant is known, Get returns the
// secret itself. Anything else is a registry user. Other registries' logins are stored
// verbatim, or handed to the delegate.
func (a *App) Store(ctx context.Context, server, user string, password secret.String) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	host, err := a.Clouds.ParseHost(server)
	switch {
	case errors.Is(err, registry.ErrInvalid):
		return fmt.Errorf("can't store the login: %w", err) // without the name, which may have a password in it
	case err != nil:
		err = a.storeOther(ctx, s, server, user, password)
	default:
		server = host.String()
		err = a.storeRegistry(ctx, s, host, user, password)
	}
	if err != nil {
		return &Error{Registry: server, Err: err}
	}
	return nil
}

func (a *App) storeRegistry(
	ctx context.Context, s *vault.Session, host registry.Host, user string, password secret.String,
) error {
	login := identity.Login{Server: host.String(), Kind: identity.RegistryUser, User: user}
	switch {
	case user == registry.NullGUID, user == registry.IdentityToken:
		return a.storeToken(ctx, s, host, password)
	case text.IsGUID(user):
		login = identity.Login{Server: host.String(), Kind: identity.ServicePrincipal, ClientID: user}
		login.Tenant = cmp.Or(a.Selector(s).TenantFor(host), s.RegistryTenant(ctx, host.String()))
		if login.Tenant == "" {
			a.Log.Warn(warnTenant)
		}
	}
	return a.storePassword(ctx, s, login, password)
}

func (a *App) storePassword(ctx context.Context, s *vault.Session, l identity.Login, password secret.String) error {
	err := errors.New("the password is empty")
	var stored identity.Login
	if !password.IsZero() {
		stored, err = a.StoreLogin(ctx, s, l, password)
	}
	if err != nil {
		return fmt.Errorf("can't store the login of %q: %w", l.UserName(), err)
	}
	a.WarnOfLoss(s, stored)
	return nil
}

// storeOther hands another registry's login to the delegate, and deletes an older one in
// the vault, which would take precedence; or stores it in the vault where there is no
// delegate.
func (a *App) storeOther(ctx context.Context, s *vault.Session, server, user string, password secret.String) error {
	d, err := a.Delegate()
	if err != nil {
		return err
	}
	if d == nil {
		return a.storePassword(ctx, s, identity.Login{Server: server, Kind: identity.RegistryUser, User: user}, password)
	}
	before, _ := s.Login(server)
	if err := d.Store(ctx, server, user, password); err != nil {
		return err
	}
	if now, _ := s.Login(server); now != nil && (before == nil || now.Fingerprint != before.Fingerprint) {
		return nil // the delegate ran this program to store it
	}
	_, err = s.Erase(ctx, server, isServer(server))
	return err
}

// StoreLogin stores a login, and returns it as it was stored; see WarnOfLoss.
func (a *App) StoreLogin(
	ctx context.Context, s *vault.Session, l identity.Login, value secret.String,
) (identity.Login, error) {
	stored, err := s.PutLogin(ctx, l, value)
	if err != nil {
		return identity.Login{}, err
	}
	s.ClearFailures(a.Covers(l.Server))
	backend, _ := s.BackendOf(stored)
	a.Log.Debug("login stored", "registry", l.Server, "identity", l, "tenant", l.Tenant, "keyring", backend)
	return stored, nil
}

// WarnOfLoss warns if the keyring may lose a login that StoreLogin returned.
func (a *App) WarnOfLoss(s *vault.Session, stored identity.Login) {
	if backend, _ := s.BackendOf(stored); backend == keystore.Kernel && (stored.HasSecret() || !stored.NamesNothing()) {
		a.Log.Warn(a.willBeLost(stored.Server))
	}
}

// willBeLost says that a login is stored where it is lost, and how to keep it.
func (a *App) willBeLost(server string) string {
	warning, command := warnKernel, "docker-credential-acr login REGISTRY --keyring file"
	if safefile.InUserNamespace() {
		warning = warnNamespace
	}
	if _, err := a.Clouds.ParseHost(server); err == nil || strings.Contains(server, "*") {
		command = strings.Replace(command, "REGISTRY", text.Quote(server), 1)
	}
	return warning + command
}

// storeToken stores an ACR token where no identity could obtain one.
func (a *App) storeToken(ctx context.Context, s *vault.Session, host registry.Host, value secret.String) error {
	token, claims, unusable := exchange.Accept(host, value.Reveal(), a.Now())
	id, err := a.Selector(s).Select(host)
	switch {
	case err != nil:
		return err
	case !id.IsAnonymous() && !id.Detected:
		a.Log.Debug("the token is not stored, because the identity obtains one when needed", "identity", id)
		a.setTenant(ctx, s, id, claims.TenantID)
		return nil
	case unusable != nil:
		return fmt.Errorf("can't store the token: %w", unusable)
	}
	if err := s.PutToken(ctx, host, vault.StoredToken, token, claims.TenantID); err != nil {
		a.Log.Warn("the login was not stored: " + err.Error()) // a failure would make docker login fail
		return nil
	}
	a.Log.Warn(fmt.Sprintf(warnToken, token.Expires.Local().Format("15:04"), host))
	return nil
}

// setTenant completes a stored service principal without a tenant with the tenant of its
// own ACR token. If that fails, nothing is lost: the secret is still returned as it was
// stored.
func (a *App) setTenant(ctx context.Context, s *vault.Session, id identity.Identity, tenant string) {
	if id.Login == nil || id.Kind != identity.ServicePrincipal || id.Tenant != "" || !text.IsGUID(tenant) {
		return
	}
	if err := s.SetTenant(ctx, *id.Login, tenant); err != nil {
		a.Log.Debug("the tenant could not be stored", "error", err)
	}
}

// Erase deletes what was stored and cached for a server. A server that doesn't exist, or
// can't, is not an error.
func (a *App) Erase(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	host, err := a.Clouds.ParseHost(server)
	if errors.Is(err, registry.ErrInvalid) { // docker logout sends http://HOST as well
		host, err = a.Clouds.ParseHost(strings.TrimPrefix(server, "http://"))
	}
	isOther := errors.Is(err, registry.ErrNotACR)
	switch {
	case err == nil:
		server = host.String()
	case !isOther:
		return nil
	}
	erased, err := s.Erase(ctx, server, isServer(server))
	if isOther {
		err = errors.Join(err, a.eraseDelegated(ctx, server))
	} else if slices.ContainsFunc(erased, func(e vault.Entry) bool { return !e.IsToken }) {
		if remains := a.Current(host); remains != "" { // docker logout shows it
			a.Log.Warn(fmt.Sprintf("%s: the stored login is deleted. From now on, you sign in as %s", server, remains))
		}
	}
	if err != nil {
		return &Error{Registry: server, Err: err}
	}
	return nil
}

// Current names the identity that is used for a registry, its tenant and its source; ""
// for none.
func (a *App) Current(host registry.Host) string {
	id, err := a.Select(host)
	if err != nil || id.IsAnonymous() {
		return ""
	}
	tenant := ""
	if id.Tenant != "" {
		tenant = ", tenant " + id.Tenant
	}
	return fmt.Sprintf("%s%s (from %s)", id, tenant, id.Source)
}

func isServer(server string) func(string) bool {
	return func(s string) bool { return s == server }
}

// eraseDelegated makes the delegate delete another registry's login.
func (a *App) eraseDelegated(ctx context.Context, server string) error {
	d, err := a.Delegate()
	if d == nil || err != nil {
		return err
	}
	return d.Erase(ctx, server)
}
