package dist

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A file is one in an archive or a package.
type file struct {
	mode    fs.FileMode
	owner   string
	time    time.Time
	content []byte
}

// TestDist_is_reproducible compares two builds in different directories, time zones, languages and umasks.
func TestDist_is_reproducible(t *testing.T) {
	r := made(t)
	for _, name := range append(manifests(t, r.first), "SHA256SUMS") {
		one, err := os.ReadFile(r.first.dist(name))
		if err != nil {
			t.Fatal(err)
		}
		if two, err := os.ReadFile(r.second.dist(name)); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs: %v\n%s\n%s", name, err, one, two)
		}
	}
}

// TestDist_checksums checks that SHA256SUMS names every file that is published, with its checksum.
func TestDist_checksums(t *testing.T) {
	r := made(t)
	named := checksums(t, r.first)
	entries, err := os.ReadDir(r.first.dist(""))
	if err != nil {
		t.Fatal(err)
	}
	published := regexp.MustCompile(`\.(tar\.gz|zip|deb|rpm|apk|zst|json)$`)
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !published.MatchString(name) || name == "artifacts.json" || name == "metadata.json" {
			continue
		}
		content, err := os.ReadFile(r.first.dist(name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); named[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("SHA256SUMS has %q for %s", named[name], name)
		}
		delete(named, name)
	}
	if len(named) > 0 {
		t.Errorf("SHA256SUMS names files that don't exist: %v", named)
	}
}

// checksums returns what SHA256SUMS says, by the files' names.
func checksums(t *testing.T, r release) map[string]string {
	t.Helper()
	content, err := os.ReadFile(r.dist("SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(content)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		found[name] = sum
	}
	return found
}

func TestDist_archives(t *testing.T) {
	r := made(t).first
	want := []string{
		"CHANGELOG.md", "LICENSE", "README.md", "third-party-licenses.txt",
		"completions/_" + program, "completions/" + program + ".bash", "completions/" + program + ".fish",
	}
	for _, page := range manualPages(t, r) {
		want = append(want, "man/"+page)
	}
	archives, err := filepath.Glob(r.dist(program + "_" + version + "_*[a-z0-9].[tz]*"))
	if err != nil || len(archives) < 3 {
		t.Fatal(archives, err)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			binary := program
			files := untar(t, archive)
			if strings.HasSuffix(archive, ".zip") {
				binary = program + ".exe"
				files = unzip(t, archive)
			}
			names := slices.Sorted(maps.Keys(files))
			if all := slices.Sorted(slices.Values(append(want[:len(want):len(want)], binary))); !slices.Equal(names, all) {
				t.Errorf("the archive has\n%q, want\n%q", names, all)
			}
			checkFiles(t, files)
		})
	}
}

// manualPages returns the names of the manual pages, of which each command has one.
func manualPages(t *testing.T, r release) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(string(r) + "/bin/man/*.1")
	if err != nil || len(paths) < 10 {
		t.Fatal(paths, err)
	}
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

// checkFiles checks that files belong to root, have the commit's date, and can be changed by root only.
func checkFiles(t *testing.T, files map[string]file) {
	t.Helper()
	for name, f := range files {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(path.Base(name), program) && path.Ext(name) == "" && !strings.Contains(name, "share") ||
			strings.HasSuffix(name, ".exe") {
			mode = 0o755
		}
		if f.mode.Perm() != mode {
			t.Errorf("%s has mode %v", name, f.mode)
		}
		if f.owner != "" && f.owner != "root:root" {
			t.Errorf("%s belongs to %s", name, f.owner)
		}
		if !f.time.Equal(commitTime) {
			t.Errorf("%s is of %s", name, f.time)
		}
	}
}

// untar returns the regular files of a tar.gz. (An apk is several of them, one after the other.)
func untar(t *testing.T, path string) map[string]file {
	t.Helper()
	if strings.HasSuffix(path, ".zip") {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return readTar(t, reader)
}

func readTar(t *testing.T, from io.Reader) map[string]file {
	t.Helper()
	files := map[string]file{}
	reader := tar.NewReader(from)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		f := file{mode: header.FileInfo().Mode(), owner: header.Uname + ":" + header.Gname, time: header.ModTime}
		if f.owner == ":" && header.Uid == 0 && header.Gid == 0 {
			f.owner = ""
		}
		if f.content, err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(header.Name, "./")] = f
	}
}

func unzip(t *testing.T, path string) map[string]file {
	t.Helper()
	reader, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	files := map[string]file{}
	for _, f := range reader.File {
		files[f.Name] = file{mode: f.Mode(), time: f.Modified}
	}
	return files
}

// TestDist_program runs the program, and checks that it needs no other file.
func TestDist_program(t *testing.T) {
	r := made(t).first
	for _, machine := range []struct{ name, emulator string }{{"amd64_v1", ""}, {"arm64_v8.0", "qemu-aarch64-static"}} {
		t.Run(machine.name, func(t *testing.T) {
			binary := r.dist(program + "_linux_" + machine.name + "/" + program)
			parsed, err := elf.Open(binary)
			if err != nil {
				t.Fatal(err)
			}
			defer parsed.Close()
			libraries, err := parsed.ImportedLibraries()
			if err != nil || len(libraries) > 0 || parsed.Section(".interp") != nil {
				t.Errorf("not linked statically: %v %v", libraries, err)
			}
			args := []string{binary, "version"}
			if machine.emulator != "" {
				requireTools(t, machine.emulator)
				args = append([]string{machine.emulator}, args...)
			}
			if got, want := must(t, args[0], args[1:]...), program+" ("+module+") v"+version+"\n"; got != want {
				t.Errorf("version prints %q, want %q", got, want)
			}
		})
	}
}

// TestDist_sbom compares each list of components with what the go command has recorded in the program.
func TestDist_sbom(t *testing.T) {
	r := made(t).first
	programs, err := filepath.Glob(r.dist(program + "_*_*/" + program + "*"))
	if err != nil || len(programs) < 3 {
		t.Fatal(programs, err)
	}
	lists, _ := filepath.Glob(r.dist("*.cdx.json"))
	if len(lists) != len(programs) {
		t.Errorf("%d lists for %d programs", len(lists), len(programs))
	}
	level := regexp.MustCompile(`_(v[0-9.]+|sse2|hardfloat|power8|rva20u64)$`)
	for _, p := range programs {
		system := level.ReplaceAllString(strings.TrimPrefix(filepath.Base(filepath.Dir(p)), program), "")
		system = strings.Replace(system, "_arm_7", "_armv7", 1)
		t.Run(system, func(t *testing.T) {
			info, err := buildinfo.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"std " + info.GoVersion}
			for _, d := range info.Deps {
				want = append(want, d.Path+" "+d.Version)
			}
			var list struct {
				Metadata struct {
					Component struct{ Name, Version string }
				}
				Components []struct{ Name, Version string }
			}
			content, err := os.ReadFile(r.dist(program + "_" + version + system + ".cdx.json"))
			if err == nil {
				err = json.Unmarshal(content, &list)
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range list.Components {
				got = append(got, c.Name+" "+c.Version)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("the list has\n%q, the program\n%q", got, want)
			}
			if c := list.Metadata.Component; c.Name != module || c.Version != "v"+version {
				t.Errorf("the list is of %v", c)
			}
		})
	}
}

// TestDist_licenses checks that the licenses of everything that is linked are in the archives.
func TestDist_licenses(t *testing.T) {
	r := made(t).first
	texts, err := os.ReadFile(string(r) + "/bin/third-party-licenses.txt")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob(r.dist(program + "_*_*/" + program + "*"))
	if err != nil || len(programs) < 3 {
		t.Fatal(programs, err)
	}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range info.Deps {
			if !strings.Contains(string(texts), "\n"+d.Path+" "+d.Version+" (") {
				t.Errorf("%s: no license of %s %s", p, d.Path, d.Version)
			}
		}
	}
}

// manifests returns the files for Homebrew, Scoop and winget.
func manifests(t *testing.T, r release) (names []string) {
	t.Helper()
	for _, dir := range []string{"homebrew", "scoop", "winget"} {
		before := len(names)
		err := filepath.WalkDir(r.dist(dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				name, _ := filepath.Rel(r.dist(""), path)
				names = append(names, name)
			}
			return err
		})
		if err != nil || len(names) == before {
			t.Fatal(dir, err)
		}
	}
	return names
}

// TestDist_manifests checks that manifests refer to archives of the release, with their checksums, and that Homebrew's
// names all manual pages.
func TestDist_manifests(t *testing.T) {
	r := made(t).first
	named := checksums(t, r)
	address := regexp.MustCompile(`https://` + module + `/releases/download/v([^/]+)/([^"\s]+)`)
	checksum := regexp.MustCompile(`\b[0-9a-fA-F]{64}\b`)
	for _, name := range manifests(t, r) {
		content, err := os.ReadFile(r.dist(name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(content), "#{version}", version)
		archives, sums := address.FindAllStringSubmatch(text, -1), checksum.FindAllString(text, -1)
		if len(archives) != len(sums) {
			t.Errorf("%s has %d archives and %d checksums", name, len(archives), len(sums))
		}
		for i, a := range archives {
			if a[1] != version || !strings.EqualFold(named[a[2]], sums[i]) {
				t.Errorf("%s: %s has the checksum %q, not %q", name, a[0], named[a[2]], sums[i])
			}
		}
		if strings.HasSuffix(name, ".json") && !json.Valid(content) {
			t.Errorf("%s is no JSON", name)
		}
		for _, page := range manualPages(t, r) {
			if strings.HasSuffix(name, ".rb") && !strings.Contains(text, `"man/`+page+`"`) {
				t.Errorf("%s lacks the manual page %s: add it to .goreleaser.yaml", name, page)
			}
		}
	}
}

// TestDist_manual_pages lets mandoc read the pages.
func TestDist_manual_pages(t *testing.T) {
	requireTools(t, "mandoc")
	r := made(t).first
	for _, page := range manualPages(t, r) {
		out, _ := exec.Command("mandoc", "-T", "lint", "-W", "warning", string(r)+"/bin/man/"+page).CombinedOutput()
		if len(out) > 0 {
			t.Errorf("%s", out)
		}
	}
}

// TestDist_notes checks that the release notes are the section of the version.
func TestDist_notes(t *testing.T) {
	r := made(t)
	for _, row := range []struct {
		release
		version string
	}{{r.first, version}, {r.older, older}} {
		content, err := os.ReadFile(string(row.release) + "/bin/notes.md")
		if got, want := strings.TrimSpace(string(content)), "- Changes of v"+row.version+"."; got != want || err != nil {
			t.Errorf("the notes are %q, want %q (%v)", got, want, err)
		}
	}
	if err := run(string(r.first), "make", "changelog", "VERSION=v9.9.9"); err == nil {
		t.Error("a version without a section in CHANGELOG.md was accepted")
	}
}
