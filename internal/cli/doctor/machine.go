package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/finding"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keyring"
)

func checkVersion(_ context.Context, e *exam) finding.Finding {
	return finding.OK("%s, %s/%s, %s", e.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// checkBinary finds out what clients would run: the first program of our name on the
// PATH, which may be another one.
func checkBinary(_ context.Context, e *exam) finding.Finding {
	first := e.findProgram(desk.Program)
	own := ""
	if e.Executable != nil {
		own, _ = e.Executable()
	}
	switch {
	case first == "":
		return finding.Fail(finding.CodeNotOnPath, "no %s on the PATH; this one is %s", desk.Program, own)
	case own != "" && !sameFile(first, own):
		return finding.Fail(finding.CodeShadowed, "clients run %s, and this one is %s", first, own)
	}
	return finding.OK("%s", first)
}

// findProgram looks a program up on the PATH, as clients do.
func (e *exam) findProgram(name string) string {
	extension := ""
	if runtime.GOOS == "windows" {
		extension = ".exe"
	}
	for _, dir := range filepath.SplitList(e.Getenv("PATH")) {
		path := filepath.Join(dir, name+extension)
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0) {
			return path
		}
	}
	return ""
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, failed := os.Stat(b)
	return err == nil && failed == nil && os.SameFile(one, other)
}

// checkSettings says what of our own variables is wrong.
func checkSettings(_ context.Context, e *exam) finding.Finding {
	if e.broken != nil {
		return finding.Fail(finding.CodeSettings, "%v", e.broken)
	}
	var set []string
	for _, name := range []string{"DOCKER_CREDENTIAL_ACR_HOME", "DOCKER_CREDENTIAL_ACR_KEYRING"} {
		if value := e.Getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	if len(set) == 0 {
		return finding.OK("no variables of our own are set")
	}
	return finding.OK("%s", strings.Join(set, ", "))
}

func checkConfig(_ context.Context, e *exam) finding.Finding {
	files := e.rooms.Identities.Config
	if _, err := files.Clouds(); err != nil {
		return e.because(err)
	}
	var found []string
	for _, path := range []string{files.User, files.Machine} {
		if _, err := os.Stat(path); path != "" && err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return finding.OK("no config file, and none is needed")
	}
	return finding.OK("%s", strings.Join(found, ", "))
}

func checkVault(_ context.Context, e *exam) finding.Finding {
	v := e.rooms.Vault
	if v.Dir == "" {
		return finding.Warn(finding.CodeNoVault, "there is no home directory, so that nothing is kept")
	}
	switch err := v.Usable(); {
	case errors.Is(err, fs.ErrNotExist):
		return finding.OK("%s, which is made when it is first needed", v.Dir)
	case err != nil:
		return finding.Warn(finding.CodeVault, "%v; nothing is kept", err)
	}
	kept, err := v.List()
	if err != nil {
		return finding.Warn(finding.CodeVault, "%v; nothing is kept", err)
	}
	return finding.OK("%s; logins and tokens kept: %d", v.Dir, len(kept))
}

// checkDelegate looks for the helper that other registries' logins go to.
func checkDelegate(_ context.Context, e *exam) finding.Finding {
	d, err := e.rooms.Delegate()
	if err != nil {
		return e.because(err)
	}
	if d == nil {
		return finding.OK("none; other registries' logins are kept here")
	}
	path, err := d.Path()
	if err != nil {
		f := e.because(err)
		f.Status = finding.Warned // Azure's registries don't need it
		return f
	}
	return finding.OK("%s", path)
}

// homes names the key's homes.
var homes = map[string]string{"os": "the OS keyring", "kernel": "the kernel keyring", "file": "the key file"}

// checkKeyring reads the key as a get does: from the first home that has it.
func checkKeyring(ctx context.Context, e *exam) finding.Finding {
	usable := e.rooms.Vault.Keys.Homes()
	if len(usable) == 0 && e.Getenv("DOCKER_CREDENTIAL_ACR_KEYRING") == "none" {
		return finding.OK("none, by DOCKER_CREDENTIAL_ACR_KEYRING: nothing is kept")
	}
	if len(usable) == 0 {
		return finding.Warn(finding.CodeNoKeyring, "none that can be reached from here: nothing is kept, and every get signs in")
	}
	var troubles []string
	code := finding.CodeUnavailable
	for _, home := range usable {
		_, err := e.rooms.Vault.Keys.Key(ctx, home)
		state := "holds the key"
		if errors.Is(err, keyring.ErrNotFound) {
			err, state = nil, "is ready, and has no key yet"
		}
		if err == nil && troubles == nil {
			return finding.OK("%s %s", homes[home], state)
		}
		if err == nil {
			return finding.Warn(code, "%s; %s %s", strings.Join(troubles, "; "), homes[home], state)
		}
		if errors.Is(err, keyring.ErrLocked) {
			code = finding.CodeLocked
		}
		troubles = append(troubles, err.Error())
	}
	f := finding.Warn(code, "%s; nothing is kept", strings.Join(troubles, "; "))
	if usable[0] == "file" {
		f.Hint = "" // the fact says what to do
	}
	return f
}
