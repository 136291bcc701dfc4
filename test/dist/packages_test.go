package dist

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The packages for amd64, by their version.
func debPackage(v string) string  { return program + "_" + v + "-1_amd64.deb" }
func rpmPackage(v string) string  { return program + "-" + v + "-1.x86_64.rpm" }
func apkPackage(v string) string  { return program + "_" + v + "-r1_x86_64.apk" }
func archPackage(v string) string { return program + "-" + v + "-1-x86_64.pkg.tar.zst" }

// TestPackages_files checks the files of each package.
func TestPackages_files(t *testing.T) {
	requireTools(t, "dpkg-deb", "tar", "zstd", "rpm")
	r := made(t).first
	binary, err := os.ReadFile(r.dist(program + "_linux_amd64_v1/" + program))
	if err != nil {
		t.Fatal(err)
	}
	const licenses, doc = "usr/share/licenses/" + program + "/", "usr/share/doc/" + program + "/"
	elsewhere := []string{licenses + "LICENSE", licenses + "third-party.txt", "usr/share/zsh/site-functions/_" + program}
	for _, p := range []struct {
		name  string
		files map[string]file
		own   []string // those that are in other places than in other packages
	}{
		{
			"deb", unpack(t, `dpkg-deb --fsys-tarfile "$0"`, r.dist(debPackage(version))),
			[]string{
				doc + "changelog.Debian.gz", doc + "copyright", doc + "third-party.txt",
				"usr/share/lintian/overrides/" + program, "usr/share/zsh/vendor-completions/_" + program,
			},
		},
		{"rpm", queryRPM(t, r.dist(rpmPackage(version))), elsewhere},
		{"apk", untar(t, r.dist(apkPackage(version))), elsewhere},
		{"pacman", unpack(t, `zstd -dc "$0"`, r.dist(archPackage(version))), elsewhere},
	} {
		t.Run(p.name, func(t *testing.T) {
			maps.DeleteFunc(p.files, func(name string, _ file) bool { return strings.HasPrefix(name, ".") }) // of apk, pacman
			want := append(slices.Clone(p.own), "usr/bin/"+program,
				"usr/share/bash-completion/completions/"+program, "usr/share/fish/vendor_completions.d/"+program+".fish")
			for _, page := range manualPages(t, r) {
				want = append(want, "usr/share/man/man1/"+page+".gz")
			}
			slices.Sort(want)
			if names := slices.Sorted(maps.Keys(p.files)); !slices.Equal(names, want) {
				t.Errorf("the package has\n%q, want\n%q", names, want)
			}
			checkFiles(t, p.files)
			got, sum := p.files["usr/bin/"+program].content, sha256.Sum256(binary)
			if !bytes.Equal(got, binary) && string(got) != hex.EncodeToString(sum[:]) {
				t.Error("the program is not that of the archive")
			}
		})
	}
}

// unpack returns the files of a package, of which a command makes a tar.
func unpack(t *testing.T, command, path string) map[string]file {
	t.Helper()
	return readTar(t, strings.NewReader(must(t, "sh", "-ec", command, path)))
}

// queryRPM returns the files of an rpm, with their checksums instead of their contents: dates and owners are not in the
// archive inside.
func queryRPM(t *testing.T, path string) map[string]file {
	t.Helper()
	const format = `[%{FILENAMES} %{FILEMODES} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEMTIMES} %{FILEDIGESTS}\n]`
	files := map[string]file{}
	for line := range strings.Lines(must(t, "rpm", "--query", "--package", "--queryformat", format, path)) {
		var name, owner, sum string
		var mode, seconds int64
		if n, _ := fmt.Sscan(line, &name, &mode, &owner, &seconds, &sum); n < 5 { // a directory has no checksum
			continue
		}
		files[strings.TrimPrefix(name, "/")] = file{fs.FileMode(mode & 0o777), owner, time.Unix(seconds, 0), []byte(sum)}
	}
	return files
}

func TestPackages_lintian(t *testing.T) {
	requireTools(t, "lintian")
	r := made(t).first
	lintian := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", r.dist(debPackage(version)))
	out, err := lintian.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPackages_install installs an older package, upgrades and removes it, with each package manager that Debian has.
// Only files of the package may change.
func TestPackages_install(t *testing.T) {
	r := made(t)
	for _, m := range []struct {
		name, tool              string
		install, verify, remove string // shell code; $1 is the root, $2 a package
		packageName             func(version string) string
	}{
		{
			"dpkg", "dpkg",
			`mkdir -p "$1"/var/lib/dpkg/info "$1"/var/lib/dpkg/updates; touch "$1"/var/lib/dpkg/status
			dpkg --root="$1" --force-script-chrootless --install "$2"`,
			`dpkg --root="$1" --verify ` + program, `dpkg --root="$1" --purge ` + program, debPackage,
		},
		{
			"rpm", "rpm",
			`rpm --root="$1" --dbpath=/var/lib/rpm --upgrade --nodeps --nosignature "$2"`,
			`rpm --root="$1" --dbpath=/var/lib/rpm --verify --nodeps ` + program,
			`rpm --root="$1" --dbpath=/var/lib/rpm --erase ` + program, rpmPackage,
		},
	} {
		t.Run(m.name, func(t *testing.T) {
			requireTools(t, m.tool)
			if os.Getuid() != 0 {
				t.Skip("needs root, to install packages below a directory")
			}
			root := t.TempDir()
			shell := func(script, name string) string {
				t.Helper()
				return must(t, "sh", "-ec", script, "sh", root, name)
			}
			before := addUserFiles(t, root)
			for _, step := range []struct {
				release
				version string
			}{{r.older, older}, {r.first, version}} {
				shell(m.install, step.dist(m.packageName(step.version)))
				got := must(t, filepath.Join(root, "usr/bin", program), "version")
				if !strings.HasSuffix(got, " v"+step.version+"\n") {
					t.Errorf("after the installation of %s: %s", step.version, got)
				}
				if found := shell(m.verify, ""); found != "" {
					t.Errorf("after the installation of %s, files differ: %s", step.version, found)
				}
			}
			shell(m.remove, "")
			if after := tree(t, root); !maps.Equal(after, before) {
				t.Errorf("after the removal there is\n%q, want\n%q", after, before)
			}
		})
	}
}

// addUserFiles adds what the program's users have, and returns the tree.
func addUserFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	for _, name := range []string{
		"etc/" + program + "/config.json", "root/.config/" + program + "/config.json",
		"root/.local/share/" + program + "/vault/file/a-login", "root/.docker/config.json",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tree(t, root)
}

// tree returns the files below a root with their content, and directories of the program's name, without what package
// managers write about themselves.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case name == "var":
			return fs.SkipDir
		case d.IsDir():
			if d.Name() == program {
				files[name] = "a directory"
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestPackages_apt installs the package in a new Debian with apt, and uses what it brings. Only with CI=true do tests
// download anything.
func TestPackages_apt(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("downloads Debian; set CI=true")
	}
	requireTools(t, "mmdebstrap", "chroot")
	r := made(t)
	root := filepath.Join(scratch, "debian")
	const include = "--include=man-db,bash-completion"
	if err := run("", "mmdebstrap", "--quiet", "--variant=apt", include, "--dpkgopt=path-include=/usr/share/man/*",
		"bookworm", root); err != nil {
		t.Fatal(err)
	}
	before := addUserFiles(t, root)
	chroot := func(script string) string {
		t.Helper()
		return must(t, "chroot", root, "bash", "-ec", script)
	}
	const install = "DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "
	for _, step := range []struct {
		release
		version string
	}{{r.older, older}, {r.first, version}} {
		content, err := os.ReadFile(step.dist(debPackage(step.version)))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, debPackage(step.version)), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		chroot(install + "/" + debPackage(step.version) + " >/dev/null; rm /*.deb")
		if got := chroot(program + " version"); !strings.HasSuffix(got, " v"+step.version+"\n") {
			t.Errorf("after the installation of %s: %s", step.version, got)
		}
	}
	chroot("man --where " + program + "-login")
	const load = ". /etc/bash_completion; _completion_loader " + program + " || true; complete -p " + program
	if got := chroot(load); got == "" {
		t.Error("bash has no completion")
	}
	if got := chroot("dpkg --verify " + program); got != "" {
		t.Errorf("files differ: %s", got)
	}
	chroot("apt-get purge -qq -y " + program + " >/dev/null")
	after := tree(t, root)
	for name := range after {
		if _, existed := before[name]; !existed && strings.Contains(name, program) {
			t.Errorf("%s remains", name)
		}
	}
	for name := range before {
		if _, exists := after[name]; !exists {
			t.Errorf("%s is gone", name)
		}
	}
}
