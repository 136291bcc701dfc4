package status

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/clients"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// A collector collects what decides about identities. It reads files, and nothing else.
type collector struct {
	app      *app.App
	vault    *vault.Session
	selector selection.Selector
	paths    dockerconfig.Paths
	clients  clients.Clients
	now      time.Time
}

// rows returns the row of one registry or pattern, or of all if none is named.
func (c collector) rows(args []string) ([]Row, error) {
	if len(args) > 0 {
		return c.named(args[0])
	}
	entries, err := c.vault.Entries()
	if err != nil {
		return nil, err
	}
	rows := []Row{}
	if err := c.app.Config.Err(); err != nil {
		rows = append(rows, Row{}.failed(err))
	}
	known := map[string]bool{}
	for _, e := range c.app.Config.Entries() {
		known[e.Pattern] = true
	}
	for _, p := range c.app.Config.Problems() {
		if !p.StopsAll() {
			known[p.Pattern] = true
		}
	}
	for _, e := range entries {
		if e.Err != nil {
			r := Row{Login: true}.failed(e.Err)
			c.setKeyring(&r, e.Backend, e.Available)
			rows = append(rows, r)
			continue
		}
		known[e.Server] = true
	}
	for _, host := range append(c.paths.Registries(c.app.Clouds), c.vault.FailedServers()...) {
		known[host] = true
	}
	for _, server := range slices.Sorted(maps.Keys(known)) {
		rows = append(rows, c.row(server))
	}
	return rows, nil
}

// named returns the row of the registry or pattern that was typed.
func (c collector) named(typed string) ([]Row, error) {
	target, _, _, err := cmdutil.ParseServer(c.app, typed)
	if err != nil {
		return nil, err
	}
	r := c.row(target)
	if strings.Contains(target, "*") && r.Source == "" && r.Error == "" {
		return nil, errors.New("there is neither a login for this pattern nor an entry in the config file")
	}
	return []Row{r}, nil
}

// row returns the row of a server or pattern, by its form.
func (c collector) row(server string) Row {
	if strings.Contains(server, "*") {
		return c.pattern(server)
	}
	if host, err := c.app.Clouds.ParseHost(server); err == nil {
		return c.registry(host)
	}
	return c.other(server)
}

// registry is about an Azure container registry: the identity of get.
func (c collector) registry(host registry.Host) Row {
	r := Row{Registry: host.String()}
	id, err := c.selector.Select(host)
	if err != nil {
		r.problem = &app.Error{Registry: r.Registry, Identity: id, Err: err}
		return r.failed(err)
	}
	if id.IsAnonymous() || id.Detected { // a token that was stored is meant to be used
		if stored, ok, _ := c.vault.Peek(host, vault.StoredToken); ok && stored.Life.IsValid(c.now) {
			id = vault.StoredToken
		}
	}
	c.describe(&r, id, id.Login)
	if id.Login != nil && c.clients.InNamespace(host) {
		if r.namespace = c.vault.NotInNamespace(*id.Login); r.namespace != nil {
			r.problem = &app.Error{Registry: r.Registry, Identity: id, Err: r.namespace}
		}
	}
	if id.Kind == identity.None {
		r.problem = &app.NotFoundError{Registry: r.Registry, Reason: "not signed in"}
	}
	if id.IsStatic() || id.IsAnonymous() {
		return r
	}
	cached, ok, failure := c.vault.Peek(host, id)
	if ok {
		r.Token = c.token(cached.Life, id.Kind != identity.ACRToken)
		if r.Keyring == "" {
			c.setKeyring(&r, cached.Backend, cached.Available)
		}
	}
	if failure != nil {
		r.Failure = &Failure{failure.Text, failure.Code, failure.Since, failure.Until}
		r.ago = cmdutil.Ago(c.now.Sub(failure.Since))
		r.problem = &app.Error{Registry: r.Registry, Identity: id, Err: failure}
	}
	return r
}

// token describes a cached token by its life; canRenew is false for a stored token.
func (c collector) token(life secret.Token, canRenew bool) *Token {
	t := &Token{State: Ended, ReceivedOn: life.Issued, ExpiresOn: life.Expires}
	switch {
	case life.IsFresh(c.now), life.IsValid(c.now) && !canRenew:
		t.State = Fresh
	case life.IsValid(c.now):
		t.State = Renewable
	}
	if canRenew {
		t.RenewsOn = new(life.RenewAt())
	}
	return t
}

// pattern is about what is set for many registries. More specific logins and entries may
// decide for one of them.
func (c collector) pattern(pattern string) Row {
	r := Row{Registry: pattern}
	login, err := c.vault.Login(pattern)
	if err == nil && login == nil {
		err = c.app.Config.EntryErr(pattern)
	}
	if err != nil {
		return r.failed(err)
	}
	if login != nil {
		id := login.Identity()
		id.Source.Pattern = "" // the row's own
		c.describe(&r, id, login)
		return r
	}
	for _, e := range c.app.Config.Entries() {
		if e.Pattern == pattern {
			c.describe(&r, identity.Identity{
				Kind: e.Identity, Tenant: e.Tenant, ClientID: e.ClientID, ObjectID: e.ObjectID, ResourceID: e.ResourceID,
				Source: e.Source,
			}, nil)
		}
	}
	return r
}

// kindDelegate is the kind of another registry's login that the delegate may have.
const kindDelegate = "delegate"

// other is about another registry's login. The delegate isn't run: it could prompt.
func (c collector) other(server string) Row {
	r := Row{Registry: server}
	login, err := c.vault.Login(server)
	if err != nil {
		return r.failed(err)
	}
	if login != nil {
		c.describe(&r, login.Identity(), login)
	} else if d, _ := c.app.Delegate(); d != nil {
		r.Identity, r.Kind, r.Source = d.Program(), kindDelegate, "the config file's delegate"
	}
	return r
}

// describe fills in who signs in, and where the key of the stored login is, if there is
// one.
func (c collector) describe(r *Row, id identity.Identity, l *identity.Login) {
	r.Kind, r.Tenant, r.ClientID = string(id.Kind), id.Tenant, id.ClientID
	r.source, r.Source = id.Source, cmp.Or(id.Source.String(), id.Reason)
	if !id.IsAnonymous() {
		r.Identity = cmp.Or(strings.TrimSpace(id.String()), "a user") // of a pattern's entry, before the user has signed in
	}
	if l != nil && (l.HasSecret() || !l.NamesNothing()) {
		r.Login = l.HasSecret()
		backend, available := c.vault.BackendOf(*l)
		c.setKeyring(r, backend, available)
	}
}

// setKeyring sets both fields, because KeyringAvailable is absent where Keyring is.
func (c collector) setKeyring(r *Row, backend string, available bool) {
	r.Keyring, r.KeyringAvailable = backend, &available
	if backend == keystore.File {
		path, made := c.app.KeyFile()
		r.KeyFile = &KeyFile{path, made}
	}
	if !available {
		r.problem = &app.Error{Registry: r.Registry, Err: &fault.Error{Code: fault.LoginElsewhere}}
	}
}

// failed returns the row with an error instead of an identity.
func (r Row) failed(err error) Row {
	r.Error, r.Code = err.Error(), fault.CodeOf(err)
	if r.problem == nil {
		r.problem = &app.Error{Registry: r.Registry, Err: err}
	}
	return r
}
