package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// try runs a client's command lines until one fails.
func (f *fixture) try(lines, image, user, stdin string) (out string, err error) {
	for _, args := range f.commands(lines, image, user) {
		printed, err := f.exec(stdin, args...)
		out += printed
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// must runs a client's command lines, all of which must succeed.
func (f *fixture) must(lines, image, user, stdin string) (out string) {
	f.t.Helper()
	out, err := f.try(lines, image, user, stdin)
	if err != nil {
		f.t.Fatalf("%s: %v\n%s", lines, err, out)
	}
	return out
}

func (f *fixture) login(c client, user, password string) string {
	f.t.Helper()
	return f.must(c.login, app, user, password)
}

// logout runs a client's logout, after it has searched the files that this may delete.
func (f *fixture) logout(lines string) {
	f.t.Helper()
	f.searchFiles()
	f.must(lines, app, "", "")
}

func (f *fixture) push(c client) {
	f.t.Helper()
	if c.push != "" {
		f.must(c.push, pushed, "", "")
	}
}

// pull pulls, and fails if the client has sent no request to the registry.
func (f *fixture) pull(c client, image string) {
	f.t.Helper()
	before := f.cloud.Seen(azuretest.KindData)
	f.must(c.pull, image, "", "")
	if f.cloud.Seen(azuretest.KindData) == before {
		f.t.Fatalf("%s pulled %s without a request to the registry", c.name, image)
	}
}

// expectRefusal fails unless a pull fails, and returns what the client printed.
func (f *fixture) expectRefusal(c client, image string) string {
	f.t.Helper()
	out, err := f.try(c.pull, image, "", "")
	if err == nil {
		f.t.Fatalf("%s pulled %s, for which it has no permission\n%s", c.name, image, out)
	}
	return out
}

// expectExchanges fails unless the program has signed in to Entra and exchanged a token n times.
func (f *fixture) expectExchanges(n int) {
	f.t.Helper()
	f.expectRequests(n, n)
}

// expectRequests fails unless the cloud has seen so many sign-ins and exchanges: one sign-in is for all registries of an
// identity.
func (f *fixture) expectRequests(signIns, exchanges int) {
	f.t.Helper()
	for kind, want := range map[string]int{azuretest.KindEntraToken: signIns, azuretest.KindExchange: exchanges} {
		if got := f.cloud.Seen(kind); got != want {
			f.t.Fatalf("the cloud has seen %d requests of kind %s, not %d", got, kind, want)
		}
	}
}

// expectSent fails if a host received a credential that is not one of the allowed ones.
func (f *fixture) expectSent(host string, allowed ...string) {
	f.t.Helper()
	for _, r := range f.cloud.Requests() {
		if c := credential(r); r.Host == host && c != "" && !slices.Contains(allowed, c) {
			f.t.Errorf("%s %s%s has another registry's credential", r.Method, host, r.Path)
		}
	}
}

// credential returns the password, refresh token or client secret in a request for a token.
func credential(r azuretest.Request) string {
	basic := http.Request{Header: r.Header}
	if _, password, ok := basic.BasicAuth(); ok {
		return password
	}
	return r.Form.Get("password") + r.Form.Get("refresh_token") + r.Form.Get("client_secret")
}

// helper runs one of the program's own commands.
func (f *fixture) helper(args ...string) string {
	f.t.Helper()
	out, err := f.exec("", append([]string{program}, args...)...)
	if err != nil {
		f.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// get runs the program's get as a client does. Its output is not among what clients printed, because it has a secret.
func (f *fixture) get(server string) (string, error) { return f.getAs(nil, server) }

// getAs runs get as another user, or as an argument of another command, or both.
func (f *fixture) getAs(attributes *syscall.SysProcAttr, server string, command ...string) (string, error) {
	args := append(slices.Clone(command), filepath.Join(bin, program), "get")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.SysProcAttr = f.environ(), "/", strings.NewReader(server), attributes
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// list returns the users by server that the program's list prints.
func (f *fixture) list() map[string]string {
	f.t.Helper()
	users := map[string]string{}
	if out := f.helper("list"); json.Unmarshal([]byte(out), &users) != nil {
		f.t.Fatalf("list: %s", out)
	}
	return users
}

// expectListed fails unless list has that user for the registry; "" stands for a registry that is not listed.
func (f *fixture) expectListed(user string) {
	f.t.Helper()
	if got := f.list()[host]; got != user {
		f.t.Fatalf("list has %q for %s, not %q", got, host, user)
	}
}

// vaultFiles returns the vault's files that match a pattern.
func (f *fixture) vaultFiles(pattern string) []string {
	f.t.Helper()
	dir := f.env["DOCKER_CREDENTIAL_ACR_HOME"]
	if dir == "" {
		dir = filepath.Join(f.home, ".local/share", program)
	}
	found, err := filepath.Glob(filepath.Join(dir, "vault", pattern))
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}

// checkSecrets ends every test: it fails if a client wrote or printed a secret, or sent one to another host.
func (f *fixture) checkSecrets() {
	for _, out := range f.outputs {
		if f.cloud.FindCanary(out) != "" {
			f.t.Errorf("a client printed a secret:\n%s", out)
		}
	}
	f.searchFiles()
	for _, leak := range f.cloud.Leaks() {
		f.t.Errorf("a secret was sent to %s://%s%s", leak.Scheme, leak.Host, leak.Path)
	}
	for _, host := range f.cloud.ForeignHosts() {
		if !slices.Contains(f.allowedHosts, host) {
			f.t.Errorf("a client connected to %s", host)
		}
	}
}

// searchFiles searches every file that the clients and the program have written for secrets, also in base64, as clients
// write passwords.
func (f *fixture) searchFiles() {
	f.t.Helper()
	for _, dir := range []string{f.home, f.env["XDG_RUNTIME_DIR"], f.env["TMPDIR"]} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			if f.cloud.FindCanary(string(content)+decoded(content)) != "" {
				f.t.Errorf("%s holds a secret", path)
			}
			return err
		})
		if err != nil {
			f.t.Error(err)
		}
	}
}

// decoded returns the quoted strings of a file that are base64, decoded.
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
