package clientconfig

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

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
// set says that it has a word about it. Whole TOML is not needed to look for one array
// of strings, as one would write it by hand.
func CredentialHelpers(text []byte) (names []string, set bool) {
	assignment := regexp.MustCompile(`(?m)^[ \t]*"?credential-helpers"?[ \t]*=[ \t]*\[([^\]]*)\]`)
	element := regexp.MustCompile(`"([^"]*)"|'([^']*)'`)
	found := assignment.FindSubmatch(text)
	if found == nil {
		return nil, false
	}
	for _, m := range element.FindAllSubmatch(found[1], -1) {
		names = append(names, string(m[1])+string(m[2]))
	}
	return names, true
}

// WantsDropIn says whether our drop-in file has to be written: not if a file names us
// already. Other helpers are an error, unless forced and read before our file.
func (p Places) WantsDropIn(force bool) (bool, error) {
	names, where := p.EveryRegistry()
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

// EveryRegistry is who answers every registry, and which file says so; nobody, and
// "", where no file does. Then AuthFiles alone is asked.
func (p Places) EveryRegistry() (names []string, where string) {
	files := []string{p.registriesConf}
	for _, dir := range p.dropInDirs {
		found, _ := filepath.Glob(filepath.Join(dir, "*.conf")) // sorted
		files = append(files, found...)
	}
	for _, file := range files { // each overwrites what came before
		text, err := owner.ReadRegular(file)
		if found, set := CredentialHelpers(text); err == nil && set {
			names, where = found, file
		}
	}
	return names, where
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
