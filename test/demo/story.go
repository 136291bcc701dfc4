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

// shortLife is how long ACR tokens live in the later steps, instead of three
// hours. The helper renews at half of it, which leaves a slow machine 4 s for
// what a step does before.
const shortLife = 8 * time.Second

// A step shows one thing; play fails where what is shown isn't so.
type step struct {
	title string
	play  func() error
}

func story(s *stage) []step {
	return []step{
		{"The stage: Microsoft Entra and a registry on loopback, an empty home", s.setting},
		{"Sign in, once, as a service principal", s.signIn},
		{"Push an image, and pull it back", s.pushAndPull},
		{"A further get is answered from the vault, without a request", s.cached},
		{"A token is renewed when half of its life is over", s.renewal},
		{"A secret was rotated: the token is used up, then the helper says what to do", s.rotation},
		{"Sign in with the new secret, and all is well", s.mended},
		{"What lies on the disk", s.disk},
		{"Sign out", s.signOut},
	}
}

// setting shows what there is, and makes the one change that a user makes.
func (s *stage) setting() error {
	s.say("registry           %s", host)
	s.say("service principal  %s, role AcrPush", clientID)
	s.say("client             %s", s.client.name())
	s.say("DOCKER_CREDENTIAL_ACR_KEYRING=file  (yours stays untouched)")
	config := fmt.Sprintf("{\"credHelpers\": {%q: \"acr\"}}\n", host)
	s.say("~/.docker/config.json  %s", config)
	return os.WriteFile(s.home(".docker", "config.json"), []byte(config), 0o600)
}

// signIn stores a secret. Nothing is exchanged yet: who never pulls costs nothing.
func (s *stage) signIn() error {
	o := s.client.login(password)
	if o.err != nil {
		return fmt.Errorf("signing in: %w", o.err)
	}
	return o.expect("signing in", azuretest.KindExchange, 0)
}

// pushAndPull shows that the first get does all the work for those that follow.
func (s *stage) pushAndPull() error {
	pushed := s.client.push()
	if pushed.err != nil {
		return fmt.Errorf("pushing: %w", pushed.err)
	}
	pulled := s.client.pull()
	if pulled.err != nil {
		return fmt.Errorf("pulling: %w", pulled.err)
	}
	return errors.Join(
		pushed.expect("the push, whose get is the first,", azuretest.KindExchange, 1),
		pulled.expect("the pull", azuretest.KindExchange, 0),
		pulled.expect("the pull", azuretest.KindEntraToken, 0),
	)
}

// cached is what every later pull costs.
func (s *stage) cached() error {
	_, err := s.token("a cached get", 0)
	return err
}

// renewal has no clock to turn, since the helper is another process: it lets
// tokens live for seconds, and waits.
func (s *stage) renewal() error {
	s.registry.RefreshTokenLife(shortLife)
	s.say("From now on ACR tokens live %.0f s instead of 3 h; sign in anew to have one of them.\n", shortLife.Seconds())
	if err := errors.Join(s.client.logout().err, s.client.login(password).err); err != nil {
		return err
	}
	first, err := s.token("the first get", 1)
	if err != nil {
		return err
	}
	half := time.Now().Add(shortLife/2 + 200*time.Millisecond)
	again, err := s.token("a get before half of the life", 0)
	if err != nil {
		return err
	}
	if err := s.pause(half, "after half of its life"); err != nil {
		return err
	}
	second, err := s.token("a get after half of the life", 1)
	if err == nil && (again != first || second == first) {
		err = errors.New("the token was to stay the same, then to change; it did otherwise")
	}
	return err
}

// rotation goes through the three states of a token whose secret is no good any
// more: fresh, past half of its life, ended.
func (s *stage) rotation() error {
	began := time.Now()
	s.app.SetSecret(rotated)
	if _, err := s.token("a get with a fresh token", 0); err != nil {
		return err
	}
	if err := s.pause(began.Add(shortLife/2+200*time.Millisecond), "the helper can't renew, but the token still lives"); err != nil {
		return err
	}
	if _, err := s.token("a get with a living token", 0); err != nil {
		return err
	}
	if err := s.pause(began.Add(shortLife+500*time.Millisecond), "it has ended"); err != nil {
		return err
	}
	o := s.get()
	s.say("Docker 29, Compose and Podman show the first line; older Docker and docker login show stderr.\n")
	switch {
	case o.err == nil:
		return errors.New("a get with a wrong secret: succeeded")
	case !strings.HasPrefix(o.stdout, host) || !strings.Contains(o.stdout, "AADSTS7000215"):
		return fmt.Errorf("a get with a wrong secret: stdout doesn't name the registry and the reason: %s", o.stdout)
	case !strings.Contains(o.stderr, "hint: "):
		return fmt.Errorf("a get with a wrong secret: no hint on stderr: %s", o.stderr)
	}
	return nil
}

// mended signs out first: before they log in, Podman and Skopeo ask the helper
// for what it has, and give up when that is an error. Docker doesn't.
func (s *stage) mended() error {
	s.registry.RefreshTokenLife(3 * time.Hour)
	if err := errors.Join(s.client.logout().err, s.client.login(rotated).err); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	_, err := s.token("a get after signing in", 1)
	return err
}

// disk lists every file of the home, and looks for every secret in all of them.
func (s *stage) disk() error {
	err := filepath.WalkDir(s.home(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(s.home(), path)
		if s.cloud.FindCanary(string(content)) != "" {
			return fmt.Errorf("%s holds a secret in clear", name)
		}
		if strings.HasPrefix(name, "acr") {
			s.say("%5d bytes  ~/%s", len(content), filepath.ToSlash(name))
		}
		return nil
	})
	s.say("No secret or token is in clear. Whoever can read acr/vault/key can open them: that is what file means.\n")
	return err
}

// signOut leaves nothing that the helper would answer with.
func (s *stage) signOut() error {
	if o := s.client.logout(); o.err != nil {
		return fmt.Errorf("signing out: %w", o.err)
	}
	o := s.exec("", program+" list", s.helper, "list")
	if o.err == nil && strings.TrimSpace(o.stdout) != "{}" {
		return errors.New("the helper still lists a registry")
	}
	return o.err
}

// token gets a token, which must take this many exchanges and no word on standard
// error: clients show that to people, and in a success there is nothing to say.
func (s *stage) token(what string, exchanges int) (string, error) {
	o := s.get()
	if o.err != nil {
		return "", fmt.Errorf("%s: %w", what, o.err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal([]byte(o.stdout), &answer); err != nil || answer.Secret == "" || o.stderr != "" {
		return "", fmt.Errorf("%s: no answer, or not in silence", what)
	}
	return answer.Secret, o.expect(what, azuretest.KindExchange, exchanges)
}

// expect checks a number of requests.
func (o outcome) expect(what, kind string, want int) error {
	if o.asked[kind] != want {
		return fmt.Errorf("%s: %d requests of kind %s, want %d", what, o.asked[kind], kind, want)
	}
	return nil
}
