package status

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// A survey looks at everything that says who to be. It reads files, and nothing
// else.
type survey struct {
	rooms  *wiring.Rooms
	clouds registry.Clouds
	places clientconfig.Places
	now    time.Time
}

// rows are about one registry or pattern, or about all if none is named.
func (s survey) rows(args []string) ([]Row, error) {
	for _, typed := range args {
		return s.one(typed)
	}
	kept, err := s.rooms.Vault.Overview()
	if err != nil {
		return nil, err
	}
	rows := []Row{}
	entries, err := s.rooms.Identities.Config.Entries()
	if err != nil {
		rows = append(rows, Row{Error: err.Error(), Code: failure.Code(err)})
	}
	known := map[string]bool{}
	for _, e := range entries {
		known[e.Pattern] = true
	}
	for _, e := range kept {
		if e.Unreadable != nil {
			rows = append(rows, Row{
				Error: (&vault.LoginError{Why: e.Unreadable}).Error(), Code: failure.Code(&vault.LoginError{Why: e.Unreadable}),
				Login: true, KeyHome: e.Home, KeyElsewhere: !e.Reachable,
			})
			continue
		}
		known[e.Server] = true
	}
	for _, host := range s.places.Registries(s.clouds) {
		known[host] = true
	}
	for _, server := range slices.Sorted(maps.Keys(known)) {
		rows = append(rows, s.row(server))
	}
	return rows, nil
}

// one is about the registry or pattern that was named.
func (s survey) one(typed string) ([]Row, error) {
	target, _, _, err := desk.ReadServer(s.rooms, s.clouds, typed)
	if err != nil {
		return nil, err
	}
	r := s.row(target)
	if strings.Contains(target, "*") && r.Source == "" && r.Error == "" {
		return nil, errors.New("there is neither a login for this pattern nor an entry in the config file")
	}
	return []Row{r}, nil
}

func (s survey) row(server string) Row {
	if strings.Contains(server, "*") {
		return s.pattern(server)
	}
	if host, err := s.clouds.ParseHost(server); err == nil {
		return s.host(host)
	}
	return s.foreign(server)
}

// host is about a registry of Azure: who get would be.
func (s survey) host(host registry.Host) Row {
	r := Row{Registry: host.String()}
	id, err := s.rooms.Identities.For(host)
	if err != nil {
		return r.failed(err)
	}
	if id.Nobody() || id.Presumed { // whoever stored a token meant it
		if kept, ok, _ := s.rooms.Vault.Peek(host, vault.StoredToken); ok && kept.Life.Alive(s.now) {
			id = vault.StoredToken
			id.Source = "a stored token"
		}
	}
	r.describe(id)
	if id.Login != nil {
		r.stored(s.rooms.Vault, *id.Login)
	}
	if id.AsStored() || id.Nobody() {
		return r
	}
	kept, ok, failed := s.rooms.Vault.Peek(host, id)
	if ok {
		r.Token = s.token(kept, id.Kind != identity.ACRToken)
		if r.KeyHome == "" {
			r.KeyHome, r.KeyElsewhere = kept.Home, !kept.Reachable
		}
	}
	if failed != nil {
		r.Failure = &Failure{failed.Text, failed.Hint, failed.Expires}
	}
	return r
}

func (s survey) token(kept vault.Entry, renewed bool) *Token {
	t := &Token{State: Ended, ReceivedOn: kept.Life.Issued, ExpiresOn: kept.Life.Expires}
	switch {
	case kept.Life.Fresh(s.now), kept.Life.Alive(s.now) && !renewed:
		t.State = Fresh
	case kept.Life.Alive(s.now):
		t.State = Renewable
	}
	if renewed {
		half := kept.Life.Issued.Add(kept.Life.Expires.Sub(kept.Life.Issued) / 2)
		t.RenewsOn = &half
	}
	return t
}

// pattern is about what is said for many registries. Who one would be for one of
// them may depend on more specific words.
func (s survey) pattern(pattern string) Row {
	r := Row{Registry: pattern}
	login, err := s.rooms.Vault.Login(pattern)
	if err != nil {
		return r.failed(err)
	}
	if login != nil {
		r.describe(login.Identity())
		r.Source = identity.StoredLogin
		r.stored(s.rooms.Vault, *login)
		return r
	}
	entries, err := s.rooms.Identities.Config.Entries()
	if err != nil {
		return r.failed(err)
	}
	if i := slices.IndexFunc(entries, func(e config.Entry) bool { return e.Pattern == pattern }); i >= 0 {
		e := entries[i]
		r.describe(identity.Identity{
			Kind: e.Identity, Tenant: e.Tenant, ClientID: e.ClientID, ObjectID: e.ObjectID, ResourceID: e.ResourceID, Source: e.Source,
		})
	}
	return r
}

// kindDelegate is the kind of who is known to the delegate, and to it alone.
const kindDelegate = "delegate"

// foreign is about another registry's login. The delegate isn't run: it might prompt.
func (s survey) foreign(server string) Row {
	r := Row{Registry: server}
	login, err := s.rooms.Vault.Login(server)
	if err != nil {
		return r.failed(err)
	}
	if login != nil {
		r.describe(login.Identity())
		r.Source = identity.StoredLogin
		r.stored(s.rooms.Vault, *login)
	} else if d, _ := s.rooms.Delegate(); d != nil {
		r.Identity, r.Kind, r.Source = d.Program(), kindDelegate, "the config file's delegate"
	}
	return r
}

func (r *Row) describe(id identity.Identity) {
	r.Kind, r.Tenant, r.Source = string(id.Kind), id.Tenant, id.Source
	switch id.Kind {
	case identity.None, identity.Anonymous:
	case identity.AzureCLI:
		id.User = cmp.Or(id.User, "account")
		r.Identity = id.String()
	default:
		r.Identity = cmp.Or(id.String(), "a person")
	}
	r.ClientID = id.ClientID
}

func (r *Row) stored(v *vault.Vault, l identity.Login) {
	home, reachable := v.HomeOf(l)
	r.Login, r.KeyHome, r.KeyElsewhere = l.Sealed(), home, !reachable
}

func (r Row) failed(err error) Row {
	r.Error, r.Code = err.Error(), failure.Code(err)
	return r
}
