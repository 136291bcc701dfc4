package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// print prints a line for each row: registry, who, why, what is kept, where its key
// lies.
func (s survey) print(out io.Writer, rows []Row) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, s.nothing())
		return err
	}
	table, widths := make([][]string, len(rows)), make([]int, 5)
	for i, r := range rows {
		table[i] = r.cells(s.now)
		for j, cell := range table[i] {
			if r.Error == "" || j == 0 { // a sentence would push the other rows apart
				widths[j] = max(widths[j], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, cells := range table {
		var line strings.Builder
		for j, cell := range cells {
			fmt.Fprintf(&line, "%-*s   ", widths[j], cell)
		}
		if _, err := fmt.Fprintln(out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// nothing says who one would be, where no registry is known yet.
func (s survey) nothing() string {
	_, host, err := desk.ReadTarget(s.clouds, "*.azurecr.io")
	if err == nil {
		if id, err := s.rooms.Identities.For(host); err == nil && !id.Nobody() {
			return fmt.Sprintf("no registry is known yet; to one of azurecr.io you would be %s (from %s)", id, id.Source)
		}
	}
	return fmt.Sprintf("nothing is known about any registry; see: %s login --help", desk.Program)
}

func (r Row) cells(now time.Time) []string {
	name := identity.Printable(cmp.Or(r.Registry, "(unknown)"))
	if r.Error != "" {
		return []string{name, "error: " + identity.Printable(r.Error)}
	}
	return []string{name, identity.Printable(cmp.Or(r.Identity, "nobody")), r.from(), r.state(now), r.key()}
}

// from leaves the path of a config file to --json.
func (r Row) from() string {
	i := strings.LastIndex(r.Source, " (")
	switch {
	case strings.HasPrefix(r.Source, "config file ") && i > 0:
		return strings.TrimSuffix("from the config file"+r.Source[i:], " ("+r.Registry+")")
	case r.Source == "":
		return ""
	case r.Identity == "" && r.Kind == string(identity.None):
		return "(" + identity.Printable(r.Source) + ")"
	}
	return "from " + identity.Printable(r.Source)
}

// state says what is kept, and how long for.
func (r Row) state(now time.Time) string {
	switch {
	case r.Identity == "":
		return "pulls are anonymous"
	case r.Failure != nil && (r.Token == nil || r.Token.State == Ended):
		return "failed a moment ago: " + identity.Printable(r.Failure.Error)
	case r.Failure != nil && r.Token.State == Renewable:
		return "token alive, " + short(r.Token.ExpiresOn.Sub(now)) + " left, renewal failed a moment ago: " + identity.Printable(r.Failure.Error)
	case r.Token != nil:
		return r.Token.state(now)
	case r.Kind == kindDelegate:
		return ""
	case strings.Contains(r.Registry, "*"):
		return "for every registry that it matches"
	case r.Kind == string(identity.RegistryUser), r.Kind == string(identity.ServicePrincipal) && r.Login && r.Tenant == "":
		return "password kept"
	}
	return "no token yet"
}

func (t Token) state(now time.Time) string {
	left := short(t.ExpiresOn.Sub(now)) + " left"
	switch {
	case t.State == Ended && t.RenewsOn == nil:
		return "token ended"
	case t.State == Ended:
		return "token ended, renewed at the next use"
	case t.State == Renewable:
		return "token alive, " + left + ", renewed at the next use"
	case t.RenewsOn == nil:
		return "token fresh, " + left + ", can't be renewed"
	}
	return "token fresh, " + left + ", renewed in " + short(t.RenewsOn.Sub(now))
}

func (r Row) key() string {
	switch {
	case r.KeyHome == "":
		return ""
	case r.KeyElsewhere:
		return "key in " + desk.HomeName(r.KeyHome) + ", out of reach here"
	}
	return "key in " + desk.HomeName(r.KeyHome)
}

// short is a duration in hours and minutes.
func short(d time.Duration) string {
	if d = d.Truncate(time.Minute); d < time.Minute {
		return "under 1m"
	}
	return strings.TrimSuffix(d.String(), "0s")
}
