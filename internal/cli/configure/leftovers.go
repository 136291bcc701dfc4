package configure

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// A leftover is a login in clear, as az acr login and podman login leave it, that is
// of no more use or in the way.
type leftover struct {
	clientconfig.Login
	path, client string
	// server is what clients call the registry when they ask this helper.
	server string
	// wins says that its client takes it before it asks the helper.
	wins bool
	// moves says that it may be all that opens the registry, so that the helper has
	// to keep it if the file is not to.
	moves bool
	// instead is who one is without it, where that is known.
	instead string
	// refused says that the helper keeps nothing under such a name; foreign that the
	// registry is none of Azure's.
	refused, foreign bool
	// shared says that it stays for Podman, which reads Docker's file, too, and gets no
	// answer from this helper.
	shared bool
}

// clear finds leftovers, and plans for them to go where they may.
func (j *job) clear(client string, files ...string) error {
	for i, path := range files {
		f, err := j.draft(path)
		if err != nil {
			return err
		}
		r, err := clientconfig.Read(f.text)
		if err != nil {
			return desk.About(path, err)
		}
		for _, login := range r.Logins {
			l, concerned := j.leftover(client, login, r)
			l.path, l.client = path, client
			l.wins = client == podman && l.IsFor(l.server) && j.isBefore(files[i:], l.server, r)
			l.shared = client == docker && l.Podman && j.podmanReads(l, r)
			if !concerned {
				continue
			}
			goes, err := j.mayGo(l)
			if err != nil {
				return err
			}
			if !goes || l.shared {
				continue
			}
			remove := func(text []byte) ([]byte, error) { return clientconfig.RemoveLogin(text, l.Server) }
			if err := j.edit(path, remove); err != nil {
				return err
			}
		}
	}
	return nil
}

// podmanReads says whether Podman finds a login in Docker's file that this helper doesn't
// answer it: it knows no credsStore, and calls Docker Hub by another name.
func (j *job) podmanReads(l leftover, r clientconfig.Reading) bool {
	helpers, _, err := j.places.EveryRegistry()
	asks := r.Helpers[l.server] == clientconfig.Helper || err == nil && slices.Contains(helpers, clientconfig.Helper) ||
		j.every && j.concerns(podman)
	return (!asks || l.IsHub()) && slices.Contains(j.places.Search, l.path) && slices.ContainsFunc(programs[podman], j.onPath)
}

// isBefore says whether Podman looks for logins in the first of these files before it
// asks this helper about a server.
func (j *job) isBefore(files []string, server string, r clientconfig.Reading) bool {
	if r.Helpers[server] == clientconfig.Helper {
		return false // in one file a helper comes first
	}
	if j.every {
		helpers, _, _ := j.places.EveryRegistry()
		return slices.Contains(helpers, clientconfig.Helper) && clientconfig.AsksFilesFirst(helpers)
	}
	return len(files) > 1
}

// leftover says whether a login is one: of the registries that are configured, and,
// once Docker has a helper for every registry, of all others; but not where that client
// asks somebody else.
func (j *job) leftover(client string, login clientconfig.Login, r clientconfig.Reading) (l leftover, concerned bool) {
	l = leftover{Login: login, server: login.Bare()}
	host, err := j.clouds.ParseHost(l.server)
	if err == nil {
		l.server = host.String()
	}
	if helper, named := r.Helpers[l.server]; client == docker && named && helper != clientconfig.Helper {
		return l, false
	}
	switch {
	case err == nil:
		l.moves, l.instead = j.needed(l, host)
		return l, j.configures(host)
	case client == docker && j.every:
		l.foreign, l.refused = true, !errors.Is(err, registry.ErrForeign)
		l.moves = true
		return l, true
	}
	return l, false
}

func (j *job) configures(host registry.Host) bool {
	return j.every || slices.Contains(j.hosts, host.String())
}

// needed says whether a login of one of Azure's registries has to be kept: a token ends
// by itself, and where the helper has somebody else to be it is no more than in the way.
func (j *job) needed(l leftover, host registry.Host) (moves bool, instead string) {
	id, err := j.rooms.Identities.For(host)
	switch {
	case l.Token && err == nil && id.Nobody():
		return false, "nobody"
	case l.Token:
		return false, ""
	case err != nil, id.Nobody(), id.Presumed, id.AsStored():
		return true, ""
	}
	return false, fmt.Sprintf("%s (from %s)", id, id.Source)
}

// mayGo says what was found. Without --remove-leftovers only a person can allow its
// removal.
func (j *job) mayGo(l leftover) (goes bool, err error) {
	found, ask, done := l.String(), "remove it", "it goes"
	switch {
	case l.moves && l.shared:
		ask, done = "have this helper keep it, too", "this helper keeps it, too; it stays for Podman"
	case l.moves:
		ask, done = "have this helper keep it, sealed", "this helper keeps it"
	}
	if asks := j.Terminal && !j.dryRun; !j.removeLeftovers && !asks {
		j.notes = append(j.notes, found+"; to "+ask+", repeat this with --remove-leftovers")
		return false, nil
	}
	kept, obstacle, err := j.keeps(l)
	if err != nil {
		return false, desk.About(l.server, err)
	}
	if obstacle != "" {
		j.notes = append(j.notes, found+"; it stays, because "+obstacle)
		return false, nil
	}
	if j.removeLeftovers {
		fmt.Fprintf(j.Stderr, "%s: %s\n", found, done)
	} else if fmt.Fprintf(j.Stderr, "%s; %s? [y/N] ", found, ask); !j.yes() {
		return false, nil
	}
	if l.moves && !kept {
		j.moves = append(j.moves, l)
	}
	return true, nil
}

// String says what a leftover is, without its secret.
func (l leftover) String() string {
	what, why := "a login", "which is not looked at any more"
	switch {
	case l.Token:
		what = "a token"
	case l.User != "":
		what = fmt.Sprintf("the password of %q", l.User)
	}
	if l.wins {
		why = "which wins over this helper"
	}
	if l.instead != "" {
		why += "; without it you are " + l.instead
	}
	return fmt.Sprintf("%s holds %s for %s in clear, %s", l.path, what, clientconfig.Shown(l.Server), why)
}

// yes reads an answer. A terminal hands over a line at a time, so that nothing of
// the next answer is lost in the reader.
func (j *job) yes() bool {
	answer, _ := bufio.NewReader(j.Stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// authVariable holds logins as config.json does, and is asked before any helper.
const authVariable = "DOCKER_AUTH_CONFIG"

func (j *job) warnOfVariable() {
	servers, _ := clientconfig.Variable(j.Getenv(authVariable))
	for _, server := range servers {
		if host, err := j.clouds.ParseHost(server); err == nil && host.String() == server && j.configures(host) {
			fmt.Fprintf(j.Stderr, "the variable %s holds a login for %s, which wins over this helper; take it out of there, or unset the variable\n", authVariable, server)
		}
	}
}

// warnOfOthers names the Azure registries that go on being another helper's, since
// Docker asks credHelpers before credsStore.
func (j *job) warnOfOthers() {
	f, err := j.draft(j.places.Docker)
	if err != nil {
		return // said by the edit
	}
	r, _ := clientconfig.Read(f.text)
	for _, server := range slices.Sorted(maps.Keys(r.Helpers)) {
		host, err := j.clouds.ParseHost(server)
		if helper := r.Helpers[server]; err == nil && helper != clientconfig.Helper {
			fmt.Fprintf(j.Stderr, "%s goes on naming %s for %s; to change that, run: %s configure %s --client docker --force\n",
				j.places.Docker, cmp.Or(helper, "no helper"), host, desk.Program, host)
		}
	}
}
