package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// print returns what users read: in a pipe a line for each row; on a terminal a table, or
// of one registry everything that is known, and then what needs attention.
func (c collector) print(s screen.Screen, rows []Row, isNamed bool) string {
	switch {
	case len(rows) == 0:
		return s.Wrap(0, text.Line(c.nothing())) + "\n"
	case !s.IsTerminal():
		var lines [][]string
		for _, r := range rows {
			lines = append(lines, r.cells(c.now))
		}
		return s.Table(lines)
	case isNamed:
		return s.Table(rows[0].facts(c.now)) + problems(s, rows, isNamed)
	}
	return overview(s, rows, c.now) + problems(s, rows, isNamed) + keyrings(s, rows)
}

// nothing says which identity would be used, where no registry is known yet.
func (c collector) nothing() string {
	const all = "*.azurecr.io"
	host, _ := c.app.Clouds.Example(all) // of a built-in cloud
	if id, err := c.selector.Select(host); err == nil && !id.IsAnonymous() {
		return fmt.Sprintf("no registries are set up yet; for %s you would sign in as %s, from %s",
			all, id.WithTenant(), id.Source)
	}
	return fmt.Sprintf("no registries are set up yet; see: %s login --help", cmdutil.Program)
}

// cells returns the columns of a row in a pipe; those after an error are left out.
func (r Row) cells(now time.Time) []string {
	if r.Error != "" {
		return []string{r.name(), "error: " + r.Error}
	}
	source := r.from()
	switch {
	case source != "" && r.Kind == string(identity.None): // the reason why there is none
		source = "(" + source + ")"
	case source != "":
		source = "from " + source
	}
	key, who := "", r.who()
	if r.Keyring != "" {
		key = "key in " + r.where()
	}
	if r.Tenant != "" {
		who += " (tenant " + r.Tenant + ")"
	}
	cells := []string{r.name(), who, source, r.state(now), key}
	for cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// overview is the table: what is different for each registry. The source is left out
// where the terminal is too narrow for it.
func overview(s screen.Screen, rows []Row, now time.Time) string {
	table := [][]string{{"REGISTRY", "SIGNED IN AS", "TENANT", "TOKEN", "FROM"}}
	for _, r := range rows {
		token := r.shortState(now)
		if _, symbol := r.attention(); symbol != "" {
			token = s.Mark(symbol) + token
		}
		row := []string{r.name(), r.who(), cmp.Or(r.Tenant, "-"), token, r.from()}
		for i := range row {
			row[i] = screen.Shorten(row[i])
		}
		table = append(table, row)
	}
	if !s.Fits(table) {
		for i, row := range table {
			table[i] = row[:len(row)-1]
		}
	}
	return s.Table(table)
}

// facts are all that is known about one registry.
func (r Row) facts(now time.Time) (table [][]string) {
	key, from := "", "From"
	if r.Keyring != "" {
		key = r.where() + limits[r.Keyring]
	}
	if r.Kind == string(identity.None) {
		from = "Because"
	}
	source := r.from()
	if r.source.Kind == identity.FromConfig {
		source = r.Source // with its path
	}
	state := r.state(now)
	if r.problem != nil { // which is printed below
		state = r.shortState(now)
	}
	for _, fact := range [][2]string{
		{"Registry", r.name()},
		{"Signed in as", r.who()},
		{from, source},
		{"Tenant", r.Tenant},
		{"Client ID", r.ClientID},
		{"State", state},
		{"Key", key},
	} {
		if fact[1] != "" && fact[1] != "-" {
			table = append(table, []string{fact[0] + ":", fact[1]})
		}
	}
	return table
}

// problems are the rows that need attention, each with the advice, after an empty line.
// GUIDs are complete for a registry that was named, and in commands.
func problems(s screen.Screen, rows []Row, isNamed bool) string {
	var b strings.Builder
	for _, r := range rows {
		problem, symbol := r.attention()
		if problem == "" {
			continue
		}
		if !isNamed {
			problem = screen.Shorten(problem)
		}
		mark := s.Mark(symbol)
		fmt.Fprintf(&b, "\n%s%s\n", mark, s.Wrap(utf8.RuneCountInString(mark), text.Line(problem)))
		if advice := app.Advice(r.problem); advice != "" {
			fmt.Fprintf(&b, "    %s\n", s.Wrap(4, text.Line(advice)))
		}
	}
	return b.String()
}

// attention returns what needs the user's attention and its symbol; "" for nothing.
func (r Row) attention() (problem, symbol string) {
	switch {
	case r.Error != "":
		return r.name() + ": " + r.Error, screen.Problem
	case r.Failure != nil:
		return r.name() + ": failed " + r.ago + ": " + r.Failure.Error, screen.Problem
	case r.namespace != nil:
		return r.name() + ": " + r.namespace.Error(), screen.Warning
	case r.KeyringAvailable != nil && !*r.KeyringAvailable:
		return r.name() + ": the key is in " + r.where(), screen.Warning
	case r.Kind == string(identity.None) && r.Source != "":
		return r.name() + ": not signed in (" + r.Source + ")", screen.Warning
	case r.Kind == string(identity.None):
		return r.name() + ": not signed in", screen.Warning
	}
	return "", ""
}

// limits say how long a keyring keeps the key, and what protects it, where that is little.
var limits = map[string]string{
	keystore.Kernel: ", until a reboot or three days without use",
	keystore.File:   ", protected by file permissions only",
}

// keyrings says once, after an empty line, where the keys are.
func keyrings(s screen.Screen, rows []Row) string {
	var places []string
	for _, r := range rows {
		if r.Keyring != "" {
			places = append(places, r.place()+limits[r.Keyring])
		}
	}
	if places == nil {
		return ""
	}
	slices.Sort(places)
	return "\n" + s.Wrap(0, "Logins and tokens are stored encrypted. The key is in "+
		strings.Join(slices.Compact(places), "; or in ")+".") + "\n"
}

func (r Row) name() string { return cmp.Or(r.Registry, "(unknown)") }

func (r Row) who() string {
	switch {
	case r.Error != "":
		return "-"
	case r.Kind == string(identity.Anonymous):
		return "anonymous"
	}
	return cmp.Or(r.Identity, "not signed in")
}

// from leaves the path of a config file to JSON and to the facts about one registry.
func (r Row) from() string {
	switch {
	case r.source.Kind == identity.FromConfig && r.source.Pattern == r.Registry:
		return "the config file"
	case r.source.Kind == identity.FromConfig:
		return "the config file (" + r.source.Pattern + ")"
	}
	return r.Source
}

// where says where the key is, because without it nothing that is stored can be used.
func (r Row) where() string {
	if !*r.KeyringAvailable {
		return r.place() + ", not available in this session"
	}
	return r.place()
}

func (r Row) place() string {
	if r.KeyFile == nil {
		return cmdutil.KeyPlace(r.Keyring, time.Time{})
	}
	return cmdutil.KeyPlace(r.Keyring, r.KeyFile.MadeOn)
}

// state says what is stored, and how long it is valid.
func (r Row) state(now time.Time) string {
	switch {
	case r.Kind == string(identity.None):
		return fmt.Sprintf("run: %s login %s", cmdutil.Program, text.Quote(r.Registry))
	case r.Identity == "":
		return "anonymous pull only"
	case r.Failure != nil && (r.Token == nil || r.Token.State == Ended):
		return "failed " + r.ago + ": " + r.Failure.Error
	case r.Failure != nil && r.Token.State == Renewable:
		return "token valid, " + r.Token.left(now) + ", renewal failed " + r.ago + ": " + r.Failure.Error
	case r.Token != nil:
		return "token " + r.Token.describe(now)
	case r.Kind == kindDelegate:
		return ""
	case strings.Contains(r.Registry, "*"):
		return "for all matching registries"
	case r.Kind == string(identity.RegistryUser):
		return "password stored"
	case r.Kind == string(identity.ServicePrincipal) && r.Login && r.Tenant == "":
		return "secret stored"
	}
	return "no token cached yet"
}

// shortState is state for a column of the table.
func (r Row) shortState(now time.Time) string {
	switch {
	case r.Error != "":
		return "error"
	case r.Failure != nil && (r.Token == nil || r.Token.State == Ended):
		return "failed"
	case r.Token != nil && r.Token.State == Ended:
		return "expired"
	case r.Token != nil:
		return r.Token.left(now)
	case r.Identity == "", r.Kind == kindDelegate, strings.Contains(r.Registry, "*"):
		return "-"
	}
	return r.state(now)
}

// describe says how long a token is valid, and what happens then.
func (t Token) describe(now time.Time) string {
	switch {
	case t.State == Ended && t.RenewsOn == nil:
		return "expired"
	case t.State == Ended:
		return "expired, renewed on next use"
	case t.State == Renewable:
		return "valid, " + t.left(now) + ", renewed on next use"
	case t.RenewsOn == nil:
		return "valid, " + t.left(now) + ", can't be renewed"
	}
	return "valid, " + t.left(now) + ", renewed in " + short(t.RenewsOn.Sub(now))
}

// left says how long a token is still valid.
func (t Token) left(now time.Time) string { return short(t.ExpiresOn.Sub(now)) + " left" }

// short is a duration in hours and minutes.
func short(d time.Duration) string {
	if d = d.Truncate(time.Minute); d < time.Minute {
		return "under 1m"
	}
	return strings.TrimSuffix(d.String(), "0s")
}
