package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/docker-credential-acr/docker-credential-acr"

// TestVersion builds the program in all the ways that users build it. Its version must be the tag of the source, or the
// commit if there is no tag.
func TestVersion(t *testing.T) {
	t.Parallel()
	requireTools(t, "git", "make", "tar")
	b := builder{moduleCache: t.TempDir(), proxy: t.TempDir()}
	tagged := b.commitWorkingTree(t)
	b.run(t, tagged, "git", "tag", "v1.2.3")
	commit := strings.TrimSpace(b.run(t, tagged, "git", "rev-parse", "HEAD"))
	untagged, changed, installed := t.TempDir(), t.TempDir(), t.TempDir()
	b.run(t, untagged, "git", "clone", "--quiet", "--no-tags", tagged, ".")
	b.run(t, changed, "git", "clone", "--quiet", tagged, ".")
	b.run(t, changed, "sh", "-c", "echo change >>LICENSE")
	b.publish(t, tagged, "v1.2.3")
	install := []string{"sh", "-c", "GOBIN=$PWD/bin go install " + module + "/credential-helper/" + program + "@v1.2.3"}
	build := []string{"go", "build", "-o", "bin/", "./credential-helper/" + program}
	makeBuild := []string{"make", "build"}
	for _, row := range []struct {
		name, dir string
		command   []string
		version   string // a pattern
	}{
		{"go install", installed, install, `v1\.2\.3`},
		{"go build", tagged, build, `v1\.2\.3`},
		{"make build", tagged, makeBuild, `v1\.2\.3`},
		{"make build of a changed file", changed, makeBuild, `v1\.2\.3\+dirty`},
		{"make build without a tag", untagged, makeBuild, `v0\.0\.0-\d{14}-` + commit[:12]},
		{"make build of a release", untagged, append(makeBuild, "VERSION=v4.5.6"), `v4\.5\.6`},
		{"make build of an archive", b.extractArchive(t, tagged), makeBuild, `v1\.2\.3`},
		{"make build of an archive without a tag", b.extractArchive(t, untagged), makeBuild, commit[:7] + `\w*`},
		{"go build of an archive", b.extractArchive(t, tagged), build, "devel"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b.run(t, row.dir, row.command...)
			got := b.run(t, row.dir, filepath.Join("bin", program), "version")
			want := fmt.Sprintf("^%s \\(%s\\) %s\n$", program, module, row.version)
			if !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%q does not match %s", got, want)
			}
		})
	}
}

// A builder has its own module cache, because the go command stores there which commit a version is.
type builder struct{ moduleCache, proxy string }

// run runs a command in a directory, with the default settings of git and the go command. Modules come from the proxy,
// the user's module cache, or the usual proxy. (-trimpath lets all builds share compiled packages.)
func (b builder) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	userCache := filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=auto -trimpath -modcacherw",
		"GOMODCACHE="+b.moduleCache, "GOSUMDB=off",
		"GOPROXY=file://"+b.proxy+",file://"+userCache+","+goEnv(t, "GOPROXY"),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

// commitWorkingTree returns a new repository with one commit, which has the files of the working tree.
func (b builder) commitWorkingTree(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b.run(t, dir, "git", "init", "--quiet")
	b.run(t, root, "git", "--git-dir="+filepath.Join(dir, ".git"), "--work-tree="+root, "add", "--all")
	b.run(t, dir, "git", "commit", "--quiet", "--message=working tree")
	b.run(t, dir, "git", "reset", "--quiet", "--hard")
	return dir
}

// extractArchive returns the directory of a repository's source archive, as GitHub offers it for download.
func (b builder) extractArchive(t *testing.T, repository string) string {
	t.Helper()
	dir := t.TempDir()
	b.run(t, repository, "sh", "-c", `git archive HEAD | tar x -C "$0"`, dir)
	return dir
}

// publish adds the module to the proxy.
func (b builder) publish(t *testing.T, repository, version string) {
	t.Helper()
	dir := filepath.Join(b.proxy, module, "@v")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": fmt.Sprintf(`{"Version":%q}`, version),
		version + ".mod":  b.run(t, repository, "cat", "go.mod"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// These are other modules.
	b.run(t, repository, "git", "archive", "--output="+filepath.Join(dir, version+".zip"),
		"--prefix="+module+"@"+version+"/", "HEAD", ":(exclude)test/e2e", ":(exclude)test/dist", ":(exclude)test/kubelet")
}
