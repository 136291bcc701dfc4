package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"
)

// fakeDelegate plays another credential helper, which stores logins as plaintext in $HOME/delegate-logins and logs
// its arguments and environment.
func fakeDelegate() {
	log := open(filepath.Join(os.Getenv("HOME"), "delegate-calls"))
	cwd, _ := os.Getwd()
	fmt.Fprintf(log, "%s (in %s)\n", strings.Join(os.Args[1:], " "), cwd)
	environ := open(filepath.Join(os.Getenv("HOME"), "delegate-environ"))
	os.Unsetenv("PASSWORD") // the script's own, from which it sets the program's variables
	fmt.Fprintln(environ, strings.Join(os.Environ(), "\n"))
	credentials.Serve(logins(filepath.Join(os.Getenv("HOME"), "delegate-logins")))
}

// logins is the path of a file of logins.
type logins string

func (l logins) read() map[string]credentials.Credentials {
	all := map[string]credentials.Credentials{}
	content, err := os.ReadFile(string(l))
	if err == nil {
		err = json.Unmarshal(content, &all)
	}
	if err != nil && !os.IsNotExist(err) {
		panic(err)
	}
	return all
}

func (l logins) write(all map[string]credentials.Credentials) error {
	content, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(string(l), content, 0o600)
}

func (l logins) Add(c *credentials.Credentials) error {
	all := l.read()
	all[c.ServerURL] = *c
	return l.write(all)
}

// Delete fails where nothing is there, in words of its own, as some helpers do.
func (l logins) Delete(server string) error {
	all := l.read()
	if _, ok := all[server]; !ok {
		return errors.New("exit status 1: Error: that is not in the password store.")
	}
	delete(all, server)
	return l.write(all)
}

func (l logins) Get(server string) (user, pass string, err error) {
	c, ok := l.read()[server]
	if !ok {
		return "", "", credentials.NewErrCredentialsNotFound()
	}
	return c.Username, c.Secret, nil
}

func (l logins) List() (map[string]string, error) {
	users := map[string]string{}
	for server, c := range l.read() {
		users[server] = c.Username
	}
	return users, nil
}
