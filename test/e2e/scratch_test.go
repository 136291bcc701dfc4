package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// scratchUser is the usual user without privileges of an image without /etc/passwd.
const scratchUser = 65532

// scratch is what an image FROM scratch has: the program, and what a test adds.
type scratch struct {
	*fixture
	root string
	env  []string
}

func newScratch(t *testing.T) *scratch {
	t.Helper()
	if os.Geteuid() != 0 {
		skipOrFail(t, "only root can enter another root directory")
	}
	s := &scratch{fixture: newFixture(t), root: makeWorkDir(t)}
	if err := os.Chmod(s.root, 0o755); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(bin, program))
	if err != nil {
		t.Fatal(err)
	}
	s.add("/"+program, string(content), 0o755)
	s.useServicePrincipal(clientSecret)
	for _, name := range []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "HTTPS_PROXY"} {
		s.env = append(s.env, name+"="+s.fixture.env[name])
	}
	return s
}

// add adds a file to the image.
func (s *scratch) add(path, content string, mode os.FileMode) {
	s.t.Helper()
	path = filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
}

// addRoots adds the certificates that the cloud is trusted by, where Go looks for them.
func (s *scratch) addRoots() {
	s.t.Helper()
	content, err := os.ReadFile(s.fixture.env["SSL_CERT_FILE"])
	if err != nil {
		s.t.Fatal(err)
	}
	s.add("/etc/ssl/certs/ca-certificates.crt", string(content), 0o644)
}

// run runs the program in the image.
func (s *scratch) run(stdin string, environ []string, args ...string) (stdout, stderr string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/"+program, args...)
	cmd.Err = nil
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = "/", append(environ, s.env...), strings.NewReader(stdin), &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root, Credential: &syscall.Credential{Uid: scratchUser, Gid: scratchUser}}
	_ = cmd.Run()
	return out.String(), errs.String()
}

// expect checks that a text has a part.
func (s *scratch) expect(what, text, part string) {
	s.t.Helper()
	if !strings.Contains(text, part) {
		s.t.Errorf("%s: %s\nlacks %q", what, text, part)
	}
}

// TestScratch_signs_in has a user without a home, and one whose home is the directory /, which can't be written.
func TestScratch_signs_in(t *testing.T) {
	s := newScratch(t)
	s.addRoots()
	for _, environ := range [][]string{nil, {"HOME=/"}, {"HOME=/", "DOCKER_CREDENTIAL_ACR_KEYRING=file"}} {
		out, _ := s.run(host, environ, "get")
		s.expect("get", out, `"Username":"`+nullGUID+`"`)
		out, _ = s.run("", environ, "doctor")
		s.expect("doctor", out, "logins and tokens can't be stored, and every get signs in")
	}
	out, _ := s.run("", []string{"HOME=/"}, "doctor")
	s.expect("doctor", out, "/ belongs to user 0: permission denied")
	out, _ = s.run("", nil, "doctor")
	s.expect("doctor", out, "there is no home directory")
}

// TestScratch_stores_tokens has a home of the user's own.
func TestScratch_stores_tokens(t *testing.T) {
	s := newScratch(t)
	s.addRoots()
	home := filepath.Join(s.root, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, scratchUser, scratchUser); err != nil {
		t.Fatal(err)
	}
	environ := []string{"HOME=/home", "DOCKER_CREDENTIAL_ACR_KEYRING=file"}
	for range 2 {
		out, _ := s.run(host, environ, "get")
		s.expect("get", out, `"Username":"`+nullGUID+`"`)
	}
	if seen := s.cloud.Seen("exchange"); seen != 1 {
		t.Errorf("%d exchanges", seen)
	}
}

// TestScratch_without_root_certificates names what is missing, and both ways to add it.
func TestScratch_without_root_certificates(t *testing.T) {
	s := newScratch(t)
	out, errs := s.run(host, nil, "get")
	s.expect("get", out, "no trusted root certificates are installed")
	s.expect("get", errs, "Install the package ca-certificates, or copy a file of root certificates into the container image")
	s.expect("get", errs, "SSL_CERT_FILE")
}

// TestScratch_without_home has advice that helps where there is no home.
func TestScratch_without_home(t *testing.T) {
	s := newScratch(t)
	login := `{"ServerURL":"` + otherHost + `","Username":"ada","Secret":"` + tokenPassword + `"}`
	out, errs := s.run(login, []string{"DOCKER_CREDENTIAL_ACR_KEYRING=file"}, "store")
	s.expect("store", out, "there is no directory for it")
	s.expect("store", errs, "Set HOME, or DOCKER_CREDENTIAL_ACR_HOME to a directory that belongs to you")
}
