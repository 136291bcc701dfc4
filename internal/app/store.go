package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// What the user is told about a login that is stored.
const (
	warnKernel = "this login is stored in the kernel keyring, so it is lost at reboot or after 3 days without use. " +
		"To keep it, set DOCKER_CREDENTIAL_ACR_KEYRING=file permanently and sign in again"
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
	if !password.IsZero() {
		_, err = a.StoreLogin(ctx, s, l, password)
	}
	if err != nil {
		return fmt.Errorf("can't store the login of %q: %w", l.UserName(), err)
	}
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

// StoreLogin stores a login, and warns if the keyring may lose it. It returns the login
// as it was stored.
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
	if backend == keystore.Kernel && l.HasSecret() {
		a.Log.Warn(warnKernel)
	}
	return stored, nil
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
	_, err = s.Erase(ctx, server, isServer(server))
	if isOther {
		err = errors.Join(err, a.eraseDelegated(ctx, server))
	}
	if err != nil {
		return &Error{Registry: server, Err: err}
	}
	return nil
}

func isServer(server string) func(string) bool {
	return func(s string) bool { return s == server }
}

// List returns the registries that Get may return a credential for (stored logins, valid
// tokens, hosts of the config file), with their user names. It needs neither network nor
// keyring, unless the delegate does, whose servers are added.
func (a *App) List(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	if err := a.Config.Err(); err != nil { // other registries' logins are still there
		a.Log.Warn(err.Error())
	}
	entries, err := s.Entries()
	if err != nil {
		return nil, fmt.Errorf("can't list the stored logins: %w", err)
	}
	users := map[string]string{}
	for _, host := range a.Config.Hosts() {
		users[host] = registry.NullGUID
	}
	for _, e := range entries {
		switch {
		case e.Err != nil, e.IsToken && !e.Life.IsValid(a.Now()):
		case strings.Contains(e.Server, "*"), e.Kind == identity.Anonymous: // no single server, or no credential
		case e.Identity().IsStatic():
			users[e.Server] = e.UserName()
		case users[e.Server] == "":
			users[e.Server] = registry.NullGUID
		}
	}
	a.listDelegated(ctx, users)
	return users, nil
}

// eraseDelegated makes the delegate delete another registry's login.
func (a *App) eraseDelegated(ctx context.Context, server string) error {
	d, err := a.Delegate()
	if d == nil || err != nil {
		return err
	}
	return d.Erase(ctx, server)
}

// listDelegated adds the delegate's logins of other registries. If the delegate fails,
// nothing else is lost.
func (a *App) listDelegated(ctx context.Context, users map[string]string) {
	d, _ := a.Delegate()
	if d == nil {
		return // List has warned of a config file that can't be read
	}
	logins, err := d.List(ctx)
	if err != nil {
		a.Log.Warn("other registries' logins are not listed: " + err.Error())
		return
	}
	for server, user := range logins {
		// No get returns its logins for Azure registries.
		_, known := users[server]
		if _, err := a.Clouds.ParseHost(server); !known && errors.Is(err, registry.ErrNotACR) {
			users[server] = user
		}
	}
}
