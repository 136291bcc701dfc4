package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// shortLifetime is the lifetime of ACR tokens in steps 5 and 6, instead of three hours. The helper renews tokens after
// half of it, which leaves 4 s for the commands before on a slow computer.
const shortLifetime = 8 * time.Second

// A step shows one feature. run fails if it doesn't work as shown.
type step struct {
	title string
	run   func() error
}

func (d *demo) steps() []step {
	return []step{
		{"Setup: a fake Microsoft Entra and a registry on loopback, an empty home directory", d.setUp},
		{"Log in once, as a service principal", d.logIn},
		{"Push an image, and pull it", d.pushAndPull},
		{"The next get returns the cached token, without a request", d.getCached},
		{"A token is renewed after half of its lifetime", d.renew},
		{"A firewall blocks this computer: get works until the token expires, then it says what to do", d.block},
		{"The client secret has changed: log in with the new one", d.logInAgain},
		{"Files on disk", d.listFiles},
		{"Log out", d.logOut},
	}
}

// setUp shows the environment and configures Docker, the only change that a user makes.
func (d *demo) setUp() error {
	d.print("registry           %s", host)
	d.print("service principal  %s, with role AcrPush", clientID)
	d.print("client             %s", d.client.name())
	d.print("keyring            DOCKER_CREDENTIAL_ACR_KEYRING=file (your own keyring is not used)")
	config := fmt.Sprintf("{\"credHelpers\": {%q: \"acr\"}}\n", host)
	d.print("~/.docker/config.json  %s", config)
	return os.WriteFile(d.home(".docker", "config.json"), []byte(config), 0o600)
}

// logIn stores the secret. It exchanges no token yet: the first pull or push does.
func (d *demo) logIn() error {
	o := d.client.login(password)
	if o.err != nil {
		return fmt.Errorf("logging in: %w", o.err)
	}
	if o.stderr != "" {
		d.print("Before a login, Skopeo and Podman ask the helper for the old one. There is none yet.\n")
	}
	return o.expect("the login", azuretest.KindExchange, 0)
}

// pushAndPull shows that only the first get sends requests.
func (d *demo) pushAndPull() error {
	pushed := d.client.push()
	if pushed.err != nil {
		return fmt.Errorf("pushing: %w", pushed.err)
	}
	pulled := d.client.pull()
	if pulled.err != nil {
		return fmt.Errorf("pulling: %w", pulled.err)
	}
	return errors.Join(
		pushed.expect("the push, with the first get,", azuretest.KindExchange, 1),
		pulled.expect("the pull", azuretest.KindExchange, 0),
		pulled.expect("the pull", azuretest.KindEntraToken, 0),
	)
}

func (d *demo) getCached() error {
	_, err := d.token("a cached get", 0)
	return err
}

// renew makes tokens expire within seconds and waits, because the helper is another process with the real clock.
func (d *demo) renew() error {
	d.registry.RefreshTokenLifetime(shortLifetime)
	d.print("From now on, ACR tokens expire after %.0f s instead of 3 h. Log in again to get such a token.\n",
		shortLifetime.Seconds())
	if err := errors.Join(d.client.logout().err, d.client.login(password).err); err != nil {
		return err
	}
	first, err := d.token("the first get", 1)
	if err != nil {
		return err
	}
	halfLife := time.Now().Add(shortLifetime/2 + 200*time.Millisecond)
	again, err := d.token("a get before half of the lifetime", 0)
	if err != nil {
		return err
	}
	if err := d.wait(halfLife, "after half of its lifetime"); err != nil {
		return err
	}
	second, err := d.token("a get after half of the lifetime", 1)
	if err == nil && (again != first || second == first) {
		err = errors.New("the token must change after half of its lifetime, and not before")
	}
	return err
}

// block shows the three states of a token that can't be renewed: fresh, to be renewed, expired.
func (d *demo) block() error {
	start := time.Now()
	d.registry.Firewall("203.0.113.7")
	if _, err := d.token("a get with a fresh token", 0); err != nil {
		return err
	}
	halfLife := start.Add(shortLifetime/2 + 200*time.Millisecond)
	if err := d.wait(halfLife, "renewal fails, but the token is still valid"); err != nil {
		return err
	}
	if _, err := d.token("a get with a valid token", 1); err != nil {
		return err
	}
	if err := d.wait(start.Add(shortLifetime+500*time.Millisecond), "the token has expired"); err != nil {
		return err
	}
	o := d.get()
	d.print("Docker 29, Compose and Podman show the first line. Older Docker and docker login show stderr.\n")
	switch {
	case o.err == nil:
		return errors.New("a get behind the firewall succeeded")
	case !strings.HasPrefix(o.stdout, host) || !strings.Contains(o.stdout, "203.0.113.7"):
		return fmt.Errorf("a get behind the firewall: stdout lacks the registry or the reason: %s", o.stdout)
	case !strings.Contains(o.stderr, "). Ask the registry's owner to allow this address"):
		return fmt.Errorf("a get behind the firewall: stderr lacks the advice: %s", o.stderr)
	}
	return nil
}

// logInAgain logs out first: before a login, Podman and Skopeo ask the helper for the old credential, and an error from
// the helper ends the login. Docker doesn't ask.
func (d *demo) logInAgain() error {
	d.registry.Firewall("")
	d.app.SetSecret(newSecret)
	d.registry.RefreshTokenLifetime(3 * time.Hour)
	if err := errors.Join(d.client.logout().err, d.client.login(newSecret).err); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	_, err := d.token("a get after the login", 1)
	return err
}

// listFiles lists the helper's files, and searches all files for secrets.
func (d *demo) listFiles() error {
	err := filepath.WalkDir(d.home(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(d.home(), path)
		if d.cloud.FindCanary(string(content)) != "" {
			return fmt.Errorf("%s has a plaintext secret", name)
		}
		if strings.HasPrefix(name, "acr") {
			d.print("%5d bytes  ~/%s", len(content), filepath.ToSlash(name))
		}
		return nil
	})
	d.print("All secrets and tokens are encrypted. The key is in acr/vault/key, because the keyring is \"file\".\n")
	return err
}

// logOut checks that nothing is stored afterwards.
func (d *demo) logOut() error {
	if o := d.client.logout(); o.err != nil {
		return fmt.Errorf("logging out: %w", o.err)
	}
	o := d.exec("", program+" list", d.helper, "list")
	if o.err == nil && strings.TrimSpace(o.stdout) != "{}" {
		return errors.New("list still has a registry")
	}
	return o.err
}

// token runs get, which must send so many exchange requests and print nothing to standard error, because clients show
// that to users.
func (d *demo) token(what string, exchanges int) (string, error) {
	o := d.get()
	if o.err != nil {
		return "", fmt.Errorf("%s: %w", what, o.err)
	}
	var credential struct{ Username, Secret string }
	if err := json.Unmarshal([]byte(o.stdout), &credential); err != nil || credential.Secret == "" || o.stderr != "" {
		return "", fmt.Errorf("%s: no credential, or output on stderr", what)
	}
	return credential.Secret, o.expect(what, azuretest.KindExchange, exchanges)
}

// expect checks the number of requests.
func (o outcome) expect(what, kind string, want int) error {
	if o.requests[kind] != want {
		return fmt.Errorf("%s: %d requests of kind %s, want %d", what, o.requests[kind], kind, want)
	}
	return nil
}
