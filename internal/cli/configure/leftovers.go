package configure

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
)

// clear finds logins in clear for the registries, as az acr login and podman login
// leave them, and removes them if it may. Those in a file that is searched before the
// one that names us win over us; the others only lie about.
func (j *job) clear(client string, files ...string) error {
	for i, path := range files {
		f, err := j.draft(path)
		if err != nil {
			return err
		}
		servers, err := clientconfig.Logins(f.text)
		if err != nil {
			return about(path, err)
		}
		for _, server := range servers {
			host, concerned := j.concerns(server)
			if !concerned {
				continue
			}
			named, _ := clientconfig.HelperFor(f.text, host) // in one file a helper comes before a login
			wins := client == podman && i < len(files)-1 && !j.every && named == ""
			if !j.mayRemove(path, server, wins) {
				continue
			}
			remove := func(text []byte) ([]byte, error) { return clientconfig.RemoveLogin(text, server) }
			if err := j.edit(path, remove); err != nil {
				return err
			}
		}
	}
	return nil
}

// concerns says whether a server, as a client's file spells it, is one of the
// registries that are configured, and which.
func (j *job) concerns(server string) (host string, concerned bool) {
	h, err := j.clouds.ParseHost(server)
	return h.String(), err == nil && (j.every || slices.Contains(j.hosts, h.String()))
}

// mayRemove says what was found. Without --remove-leftovers only a person can allow
// its removal: it may be all that they have.
func (j *job) mayRemove(path, server string, wins bool) bool {
	why := "which is not looked at any more (a password is kept by: docker-credential-acr login REGISTRY --username NAME)"
	if wins {
		why = "which wins over this helper"
	}
	found := fmt.Sprintf("%s holds a login for %s in clear, %s", path, server, why)
	switch {
	case j.removeLeftovers:
		fmt.Fprintf(j.Stderr, "%s: it goes\n", found)
		return true
	case j.Terminal && !j.dryRun:
		fmt.Fprintf(j.Stderr, "%s; remove it? [y/N] ", found)
		return j.yes()
	}
	fmt.Fprintf(j.Stderr, "%s; to remove it, repeat this with --remove-leftovers\n", found)
	return false
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
	servers, _ := clientconfig.Logins([]byte(j.Getenv(authVariable)))
	for _, server := range servers {
		if _, concerned := j.concerns(server); concerned {
			fmt.Fprintf(j.Stderr, "the variable %s holds a login for %s, which wins over this helper; take it out of there, or unset the variable\n", authVariable, server)
		}
	}
}

// warnOfForeign names the logins in clear that Docker no longer looks at once every
// registry has a helper.
func (j *job) warnOfForeign() {
	f, err := j.draft(j.places.Docker)
	if err != nil {
		return // said by the edit
	}
	servers, _ := clientconfig.Logins(f.text)
	servers = slices.DeleteFunc(servers, func(s string) bool { _, concerned := j.concerns(s); return concerned })
	if len(servers) > 0 {
		fmt.Fprintf(j.Stderr, "%s holds logins in clear that Docker will not look at any more, for %s; repeat docker login for each, and this helper keeps it\n",
			j.places.Docker, strings.Join(servers, ", "))
	}
}
