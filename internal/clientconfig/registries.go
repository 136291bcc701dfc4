package clientconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
)

// DropIn is our drop-in file for containers-registries.conf(5). Helpers are asked in
// order; the reserved name stands for the files of containers-auth.json(5), without
// which their logins would no longer count.
const DropIn = `# Written by docker-credential-acr configure --all-registries
credential-helpers = ["` + Helper + `", "` + AuthFiles + `"]
`

// AuthFiles stands among helpers for the files of containers-auth.json(5).
const AuthFiles = "containers-auth.json"

// dropInName comes after names that begin with a digit: the last file wins.
const dropInName = "docker-credential-acr.conf"

// CredentialHelpers are the helpers that a registries.conf(5) names for every registry;
// none if it has no word about it, for which an empty list is none either.
func CredentialHelpers(text []byte) (names []string, err error) {
	var conf struct {
		Helpers []string `toml:"credential-helpers"`
	}
	if err := toml.Unmarshal(text, &conf); err != nil {
		line := 0
		if where := new(toml.DecodeError); errors.As(err, &where) {
			line, _ = where.Position()
		}
		return nil, malformed("it is not valid TOML, or its credential-helpers are no list of names (line %d)", line)
	}
	return conf.Helpers, nil
}

// WantsDropIn says whether our drop-in file has to be written: not if a file names us
// already. Other helpers are an error, unless forced and read before our file.
func (p Places) WantsDropIn(force bool) (bool, error) {
	names, where, err := p.EveryRegistry()
	if err != nil {
		return false, err
	}
	others := slices.ContainsFunc(names, func(n string) bool { return n != AuthFiles })
	switch {
	case slices.Contains(names, Helper):
		return false, nil
	case p.after(where):
		return false, &Error{CodeLaterFile, fmt.Sprintf("%s, which is read later, says who answers every registry: %q", where, names)}
	case others && !force:
		return false, &Error{CodeOtherHelper, fmt.Sprintf("every registry is already answered by the helpers that %s names: %q", where, names)}
	}
	return true, nil
}

// EveryRegistry is who answers every registry, and which file says so: AuthFiles alone,
// and "", where no file does. A file that can't be read stops its clients.
func (p Places) EveryRegistry() (names []string, where string, err error) {
	names = []string{AuthFiles}
	files := []string{p.registriesConf}
	for _, dir := range p.dropInDirs {
		found, _ := os.ReadDir(dir) // sorted
		for _, f := range found {
			if strings.HasSuffix(f.Name(), ".conf") {
				files = append(files, filepath.Join(dir, f.Name()))
			}
		}
	}
	for _, file := range files { // each overwrites what came before
		text, err := owner.ReadRegular(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var found []string
		if err == nil {
			found, err = CredentialHelpers(text)
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", file, atomicfile.Bare(err))
		}
		if len(found) > 0 {
			names, where = found, file
		}
	}
	return names, where, nil
}

// AsksFilesFirst says whether logins in clear are found before helpers that are asked
// about every registry.
func AsksFilesFirst(helpers []string) bool {
	files, ours := slices.Index(helpers, AuthFiles), slices.Index(helpers, Helper)
	return files >= 0 && (ours < 0 || files < ours)
}

// after says whether a file is read after our drop-in file.
func (p Places) after(file string) bool {
	own, its := slices.Index(p.dropInDirs, filepath.Dir(p.DropIn)), slices.Index(p.dropInDirs, filepath.Dir(file))
	return its > own || its == own && filepath.Base(file) > dropInName
}

// DropIns are where our drop-in file may lie; of the user alone, unless that is root.
func (p Places) DropIns() (files []string) {
	for _, dir := range p.dropInDirs[slices.Index(p.dropInDirs, filepath.Dir(p.DropIn)):] {
		files = append(files, filepath.Join(dir, dropInName))
	}
	return files
}

// IsDropIn says whether a file still is as we wrote it.
func IsDropIn(text []byte) bool {
	return strings.TrimSpace(string(text)) == strings.TrimSpace(DropIn)
}

// SetDropIn makes a file ours. One that somebody else has written is an error, unless
// forced.
func SetDropIn(text []byte, force bool) ([]byte, error) {
	if len(strings.TrimSpace(string(text))) > 0 && !IsDropIn(text) && !force {
		return nil, &Error{CodeDropIn, "somebody else has written it"}
	}
	return []byte(DropIn), nil
}
