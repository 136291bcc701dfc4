// Package dist tests what a release consists of: it runs make dist for a commit of the working tree, and installs,
// verifies and uses the files as users do.
package dist

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	program = "docker-credential-acr"
	module  = "github.com/docker-credential-acr/docker-credential-acr"
	version = "1.2.3"
	older   = "1.2.2"
)

// commitTime is the time of the commit that is released.
var commitTime = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)

// scratch is a directory for this run.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "acr-dist-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// A release is a clone in which make dist has run.
type release string

// dist returns the path of a file in dist.
func (r release) dist(name string) string { return filepath.Join(string(r), "dist", name) }

// releases are the same release made twice, in clones that differ in what must make no difference, and an older one.
type releases struct{ first, second, older release }

// made makes the releases once for all tests.
func made(t *testing.T) releases {
	t.Helper()
	requireTools(t, "git", "make", "go", "gzip")
	r, err := makeReleases()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var makeReleases = sync.OnceValues(func() (r releases, err error) {
	origin := filepath.Join(scratch, "origin")
	if err := commitWorkingTree(origin); err != nil {
		return r, err
	}
	r = releases{
		first:  release(filepath.Join(scratch, "first")),
		second: release(filepath.Join(scratch, "elsewhere", "with a longer name", "second")),
		older:  release(filepath.Join(scratch, "older")),
	}
	if err := r.first.make(origin, "v"+version, "umask 022 && export TZ=UTC"); err != nil {
		return r, err
	}
	// The second one has no network: the modules and tools are there.
	offline := ""
	if exec.Command("unshare", "--net", "true").Run() == nil {
		offline = " && alias make='unshare --net make'"
	}
	other := "umask 077 && export TZ=Asia/Tokyo LANG=tr_TR.UTF-8" + offline
	if err := r.second.make(origin, "v"+version, other); err != nil {
		return r, err
	}
	return r, r.older.make(origin, "v"+older, "umask 022")
})

// targets is the list of targets in .goreleaser.yaml.
var targets = regexp.MustCompile(`(?m)^    targets:\n(      - .*\n)+`)

// someTargets are those that the tests run or have a format of their own. With TARGETS=all, a release has all.
const someTargets = "    targets:\n      - linux_amd64\n      - linux_arm64\n      - windows_amd64\n"

// commitWorkingTree makes a repository with the files of the working tree, and a tag for each of the two releases.
func commitWorkingTree(dir string) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := run(dir, "git", "init", "--quiet"); err != nil {
		return err
	}
	if err := run(root, "git", "--git-dir="+filepath.Join(dir, ".git"), "--work-tree="+root, "add", "--all"); err != nil {
		return err
	}
	if err := run(dir, "sh", "-ec", "git commit --quiet --message=tree && git reset --quiet --hard"); err != nil {
		return err
	}
	if os.Getenv("TARGETS") != "all" {
		if err := replaceIn(filepath.Join(dir, ".goreleaser.yaml"), targets, someTargets); err != nil {
			return err
		}
	}
	for _, v := range []string{older, version} {
		if err := replaceIn(filepath.Join(dir, "CHANGELOG.md"), regexp.MustCompile(`(?m)^# Changelog$`),
			"# Changelog\n\n## v"+v+"\n\n- Changes of v"+v+"."); err != nil {
			return err
		}
		if err := run(dir, "sh", "-ec", `git commit --quiet --all --message="$0" && git tag "$0"`, "v"+v); err != nil {
			return err
		}
	}
	return nil
}

// replaceIn replaces the first match in a file, which must have one.
func replaceIn(path string, pattern *regexp.Regexp, by string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	place := pattern.FindIndex(content)
	if place == nil {
		return fmt.Errorf("%s: no %s", path, pattern)
	}
	return os.WriteFile(path, []byte(string(content[:place[0]])+by+string(content[place[1]:])), 0o644)
}

// make clones a tag and runs make dist. The preparation is shell code.
func (r release) make(origin, tag, preparation string) error {
	clone := `git clone --quiet --branch "$0" "$1" . 2>/dev/null && mkdir -p bin && ln -s "$2" bin/tools`
	if err := os.MkdirAll(string(r), 0o755); err != nil {
		return err
	}
	tools := filepath.Join(scratch, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	if err := run(string(r), "sh", "-ec", clone, tag, origin, tools); err != nil {
		return err
	}
	return run(string(r), "sh", "-ec", preparation+"\nmake dist")
}

// run runs a command; the error has what it printed.
func run(dir, name string, args ...string) error {
	_, err := output(dir, nil, name, args...)
	return err
}

// output runs a command, and returns what it printed to standard output.
func output(dir string, environ []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(environment(), environ...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %q: %w\n%s%s", name, args, err, out, stderr.String())
	}
	return string(out), err
}

// environment is that of a maintainer who has set nothing.
func environment() []string {
	environ := []string{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_AUTHOR_DATE=" + commitTime.Format(time.RFC3339), "GIT_COMMITTER_DATE=" + commitTime.Format(time.RFC3339),
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN", "SOURCE_DATE_EPOCH", "VERSION", "MAKEFLAGS", "NOT_TESTED":
		default:
			environ = append(environ, entry)
		}
	}
	return environ
}

// must returns what a command printed, and fails the test if it fails.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := output("", nil, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// packages are Debian's packages of programs whose package has another name.
var packages = map[string]string{"qemu-aarch64-static": "qemu-user-static", "dpkg-deb": "dpkg"}

// requireTools skips the test if a program is not installed; with CI=true the test fails.
func requireTools(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		name := packages[p]
		if name == "" {
			name = p
		}
		reason := fmt.Sprintf("%s is not installed (Debian: apt-get install %s)", p, name)
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		if f, err := os.OpenFile(os.Getenv("NOT_TESTED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			fmt.Fprintln(f, reason)
			f.Close()
		}
		t.Skip(reason)
	}
}
