package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// The images that tests pull and push.
const (
	app    = host + "/app:1"    // there from the start
	other  = host + "/other:1"  // likewise, outside the scoped token's reach
	pushed = host + "/app:mine" // comes to be by a push
)

// try runs a client's command lines until one fails.
func (s *stage) try(lines, image, user, stdin string) (out string, err error) {
	for _, args := range s.commands(lines, image, user) {
		said, err := s.exec(stdin, args...)
		out += said
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// must is try for what has to succeed.
func (s *stage) must(lines, image, user, stdin string) (out string) {
	s.t.Helper()
	out, err := s.try(lines, image, user, stdin)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", lines, err, out)
	}
	return out
}

func (s *stage) login(c client, user, password string) string {
	s.t.Helper()
	return s.must(c.login, app, user, password)
}

// logout logs out by one of a client's command lines, after a look at what
// that is about to delete.
func (s *stage) logout(lines string) {
	s.t.Helper()
	s.searchHome()
	s.must(lines, app, "", "")
}

func (s *stage) push(c client) {
	s.t.Helper()
	if c.push != "" {
		s.must(c.push, pushed, "", "")
	}
}

// pull pulls, and makes sure that the client really asked the registry.
func (s *stage) pull(c client, image string) {
	s.t.Helper()
	before := s.cloud.Seen(azuretest.KindData)
	s.must(c.pull, image, "", "")
	if s.cloud.Seen(azuretest.KindData) == before {
		s.t.Fatalf("%s pulled %s without asking the registry", c.name, image)
	}
}

// refused demands that a pull fails, and returns what the client said.
func (s *stage) refused(c client, image string) string {
	s.t.Helper()
	out, err := s.try(c.pull, image, "", "")
	if err == nil {
		s.t.Fatalf("%s pulled %s, which it must not\n%s", c.name, image, out)
	}
	return out
}

// exchanges demands that the program signed in and exchanged n times by now.
func (s *stage) exchanges(n int) {
	s.t.Helper()
	for _, kind := range []string{azuretest.KindExchange, azuretest.KindEntraToken} {
		if got := s.cloud.Seen(kind); got != n {
			s.t.Fatalf("the cloud has seen %d requests of kind %s, not %d", got, kind, n)
		}
	}
}

// list is what the program's list answers.
func (s *stage) list() map[string]string {
	s.t.Helper()
	out, err := s.exec("", program, "list")
	users := map[string]string{}
	if err == nil {
		err = json.Unmarshal([]byte(out), &users)
	}
	if err != nil {
		s.t.Fatalf("list: %v\n%s", err, out)
	}
	return users
}

// knows demands that list names the registry with that user, or with "" that
// it doesn't name it.
func (s *stage) knows(user string) {
	s.t.Helper()
	if got := s.list()[host]; got != user {
		s.t.Fatalf("list names %q for %s, not %q", got, host, user)
	}
}

// vaultFiles are the program's files that match a pattern below its vault.
func (s *stage) vaultFiles(pattern string) []string {
	s.t.Helper()
	place := s.env["DOCKER_CREDENTIAL_ACR_HOME"]
	if place == "" {
		place = filepath.Join(s.home, ".local/share", program)
	}
	found, err := filepath.Glob(filepath.Join(place, "vault", pattern))
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// audit ends every test: whatever clients wrote or printed holds no secret, and
// none was sent to a stranger.
func (s *stage) audit() {
	for _, said := range s.said {
		if s.cloud.FindCanary(said) != "" {
			s.t.Errorf("a client printed a secret:\n%s", said)
		}
	}
	s.searchHome()
	for _, leak := range s.cloud.Leaks() {
		s.t.Errorf("a secret was sent to %s://%s%s", leak.Scheme, leak.Host, leak.Path)
	}
	for _, stranger := range s.cloud.ForeignHosts() {
		if !slices.Contains(s.strangers, stranger) {
			s.t.Errorf("a client asked for %s", stranger)
		}
	}
}

// searchHome looks for secrets in every file that clients and the program have
// written. Clients hide passwords in base64, so that is looked through too.
func (s *stage) searchHome() {
	s.t.Helper()
	for _, dir := range []string{s.home, s.env["XDG_RUNTIME_DIR"], s.env["TMPDIR"]} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			if s.cloud.FindCanary(string(content)+decoded(content)) != "" {
				s.t.Errorf("%s holds a secret", path)
			}
			return err
		})
		if err != nil {
			s.t.Error(err)
		}
	}
}

// decoded is every quoted string of a file that can be read as base64.
func decoded(content []byte) string {
	var plain strings.Builder
	for i, quoted := range strings.Split(string(content), `"`) {
		if text, err := base64.StdEncoding.DecodeString(quoted); err == nil && i%2 == 1 {
			plain.Write(text)
			plain.WriteByte('\n')
		}
	}
	return plain.String()
}
