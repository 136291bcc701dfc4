package configure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// A leftover is a login in clear, as az acr login and podman login leave it, that is
// of no more use or in the way.
type leftover struct {
	clientconfig.Login
	path string
	// server is what the helper calls the registry.
	server string
	// wins says that its client takes it before it asks the helper.
	wins bool
	// moves says that it may be all that opens the registry, so that the helper has
	// to keep it if the file is not to.
	moves bool
	// foreign says that the registry is none of Azure's.
	foreign bool
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
			l, concerned := j.leftover(client, login)
			l.path = path
			l.wins = client == podman && i < len(files)-1 && !j.every && r.Helpers[l.server] == "" // in one file a helper comes first
			if !concerned || !j.mayGo(l) {
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

// leftover says whether a login is one: of the registries that are configured, and,
// once Docker has a helper for every registry, of all others.
func (j *job) leftover(client string, login clientconfig.Login) (l leftover, concerned bool) {
	l = leftover{Login: login, server: login.Server}
	host, err := j.clouds.ParseHost(login.Server)
	switch {
	case err == nil && j.configures(host):
		l.server = host.String()
		id, err := j.rooms.Identities.For(host)
		l.moves = !l.Token && (err != nil || id.Nobody() || id.Presumed)
		return l, true
	case errors.Is(err, registry.ErrForeign) && client == docker && j.every:
		l.moves, l.foreign = true, true
		return l, true
	}
	return l, false
}

func (j *job) configures(host registry.Host) bool {
	return j.every || slices.Contains(j.hosts, host.String())
}

// mayGo says what was found. Without --remove-leftovers only a person can allow its
// removal.
func (j *job) mayGo(l leftover) bool {
	why, ask, done := "which is not looked at any more", "remove it", "it goes"
	if l.wins {
		why = "which wins over this helper"
	}
	if l.moves {
		ask, done = "have this helper keep it, sealed", "this helper keeps it"
	}
	found := fmt.Sprintf("%s holds a login for %s in clear, %s", l.path, l.Server, why)
	if asks := j.Terminal && !j.dryRun; !j.removeLeftovers && !asks {
		fmt.Fprintf(j.Stderr, "%s; to %s, repeat this with --remove-leftovers\n", found, ask)
		return false
	}
	if obstacle := j.obstacle(l); obstacle != "" {
		fmt.Fprintf(j.Stderr, "%s; it stays, because %s\n", found, obstacle)
		return false
	}
	if j.removeLeftovers {
		fmt.Fprintf(j.Stderr, "%s: %s\n", found, done)
	} else if fmt.Fprintf(j.Stderr, "%s; %s? [y/N] ", found, ask); !j.yes() {
		return false
	}
	if l.moves {
		j.moves = append(j.moves, l)
	}
	return true
}

// obstacle is why the helper can't keep for good what it has to; "" if it can.
func (j *job) obstacle(l leftover) string {
	if !l.moves {
		return ""
	}
	if l.User == "" || l.Secret.IsZero() {
		return "it can't be read; run docker login again, and this helper keeps that"
	}
	another := func(m leftover) bool {
		return m.server == l.server && (m.User != l.User || m.Secret != l.Secret)
	}
	if slices.ContainsFunc(j.moves, another) {
		return "this helper keeps another one for " + l.server
	}
	if d, err := j.rooms.Delegate(); j.dryRun || l.foreign && err == nil && d != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyTimeout)
	defer cancel()
	switch home, err := j.rooms.Vault.Ready(ctx); {
	case err != nil:
		return err.Error() + "; see: " + desk.Program + " doctor"
	case home == "kernel":
		return "the kernel's keyring would forget it with the next restart; set DOCKER_CREDENTIAL_ACR_KEYRING=file for good, and repeat this"
	}
	return ""
}

// keyTimeout is above what the keyring is given.
const keyTimeout = 10 * time.Second

// move has the helper keep what docker login would have it keep.
func (j *job) move() error {
	for _, m := range j.moves {
		if err := j.Helper.Add(&credentials.Credentials{ServerURL: m.server, Username: m.User, Secret: m.Secret.Reveal()}); err != nil {
			return err
		}
		fmt.Fprintf(j.Stderr, "%s: the login of %q is kept\n", m.server, m.User)
	}
	return nil
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
	r, _ := clientconfig.Read([]byte(j.Getenv(authVariable)))
	for _, login := range r.Logins {
		if host, err := j.clouds.ParseHost(login.Server); err == nil && j.configures(host) {
			fmt.Fprintf(j.Stderr, "the variable %s holds a login for %s, which wins over this helper; take it out of there, or unset the variable\n", authVariable, login.Server)
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
		if host, err := j.clouds.ParseHost(server); err == nil && r.Helpers[server] != clientconfig.Helper {
			fmt.Fprintf(j.Stderr, "%s goes on naming %q for %s; to change that, run: %s configure %s --client docker --force\n",
				j.places.Docker, r.Helpers[server], host, desk.Program, host)
		}
	}
}
