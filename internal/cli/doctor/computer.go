package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// The program's own variables.
const (
	prefix     = "DOCKER_CREDENTIAL_ACR_"
	homeVar    = prefix + "HOME"
	keyringVar = prefix + "KEYRING"
	traceVar   = prefix + "TRACE"
)

// checkVersion tells what a bug report needs.
func checkVersion(_ context.Context, s *session) report.Finding {
	return report.OK("%s, %s/%s, %s", s.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// checkBinary finds what clients would run: the first program of this name on the PATH,
// which may be another one.
func checkBinary(ctx context.Context, s *session) report.Finding {
	first, own := s.clients.FindProgram(cmdutil.Program), ""
	if s.Executable != nil {
		own, _ = s.Executable()
	}
	switch {
	case first == "":
		return report.Fail(fault.BinaryNotOnPath, "no %s on the PATH; this program is %s", cmdutil.Program, own)
	case own != "" && !subprocess.SameFile(first, own):
		return s.shadowed(ctx, first, own)
	}
	return report.OK("%s%s", first, s.onWindows())
}

// onWindows says, in the Windows Subsystem for Linux, what Windows' own clients run; ""
// elsewhere. WSL appends Windows' PATH to its own.
func (s *session) onWindows() string {
	distribution := s.clients.Getenv("WSL_DISTRO_NAME")
	if distribution == "" {
		return ""
	}
	if program := s.clients.FindProgram(cmdutil.Program + ".exe"); program != "" {
		return "; this is WSL (" + distribution + "): Docker on Windows runs " + program + ", with logins of its own"
	}
	return "; this is WSL (" + distribution + "): for Docker on Windows, there is no " + cmdutil.Program +
		".exe on the PATH"
}

// shadowed tells another copy of this program from another project's program of the same
// name, by what it prints as its version. One in a relative directory of the PATH may come
// from anywhere, so it is not run.
func (s *session) shadowed(ctx context.Context, first, own string) report.Finding {
	runner := subprocess.Runner{Getenv: s.clients.Getenv, Environ: s.Environ}
	var out []byte
	var err error = &subprocess.Error{}
	if filepath.IsAbs(first) {
		out, err = runner.Run(ctx, subprocess.Command{
			Path: first, Args: []string{"version"}, Inherits: subprocess.AllBut(subprocess.Secrets), Timeout: versionTimeout,
		})
	}
	line, _, _ := strings.Cut(string(out), "\n")
	version, isOurs := strings.CutPrefix(line, cmdutil.Program+" ("+cmdutil.Module+") ")
	_, notRun := errors.AsType[*subprocess.Error](err)
	switch {
	case notRun:
		return report.Fail(fault.BinaryShadowed, "clients run %s, not this program (%s)", first, own)
	case isOurs:
		return report.Fail(fault.BinaryShadowed, "clients run %s, version %s, not this program (%s)", first, version, own)
	}
	return report.Fail(fault.BinaryForeign,
		"clients run %s, another project's program of the same name, not this program (%s)", first, own)
}

// versionTimeout is far more than a program takes to print its version.
const versionTimeout = 3 * time.Second

// checkSettings checks the program's own variables.
func checkSettings(_ context.Context, s *session) report.Finding {
	if s.appErr != nil {
		return s.failure(s.appErr)
	}
	var set []string
	for _, name := range []string{homeVar, keyringVar} {
		if value := s.clients.Getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	if unknown := unknownVariable(s.Environ); unknown != "" {
		return report.Warn(fault.SettingsUnknown, "%s", unknown)
	}
	none := "neither " + homeVar + " nor " + keyringVar + " is set"
	return report.OK("%s", cmp.Or(strings.Join(set, ", "), none))
}

// unknownVariable names a variable with the program's prefix that it does not read, which is
// most often one with a typing error; "" for none. Its value may be a secret.
func unknownVariable(environ []string) string {
	known := []string{homeVar, keyringVar, traceVar}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || value == "" {
			continue
		}
		meant := text.Nearest(name, known)
		if meant != "" {
			meant = "; did you mean " + meant + "?"
		}
		return text.Line(name) + " is not a variable of this program" + meant
	}
	return ""
}

// checkConfig names the config files, since users may not know of the machine's.
func checkConfig(_ context.Context, s *session) report.Finding {
	if err := s.app.Config.Err(); err != nil {
		return s.failure(err)
	}
	if problems := s.app.Config.Problems(); len(problems) > 0 { // they stop some registries only
		f := s.failure(problems[0].Err())
		f.Status = report.Warned
		if more := len(problems) - 1; more > 0 {
			f.Fact += fmt.Sprintf("; and %d more", more)
		}
		return f
	}
	paths := strings.Join(s.app.Config.Paths(), ", ")
	return report.OK("%s", cmp.Or(paths, "no config file, and none is needed"))
}

// checkVault only warns: without a vault every get signs in, which is slow but works.
func checkVault(_ context.Context, s *session) report.Finding {
	v := s.app.Vault.Open()
	defer v.Close()
	if v.Dir == "" {
		return report.Warn(fault.VaultNoPlace,
			"there is no home directory; logins and tokens can't be stored, and every get signs in")
	}
	entries, err := v.Entries()
	err = cmp.Or(v.Err(), err)
	switch {
	case err != nil:
		f := report.Warn(fault.VaultNotUsed, "%v; stored logins and tokens are ignored", err)
		f.Hint = cmp.Or(s.failure(err).Hint, f.Hint)
		return f
	case v.Unwritable() != nil:
		f := report.Warn(fault.VaultNoPlace, "logins and tokens can't be stored, and every get signs in: %v", v.Unwritable())
		f.Hint = cmp.Or(s.failure(&fault.Error{Code: fault.VaultNoPlace, Cause: v.Unwritable()}).Hint, f.Hint)
		return f
	case !v.Exists():
		return report.OK("%s (not created yet)%s", v.Dir, s.foreignHome())
	}
	valid := 0
	for _, e := range entries {
		if e.Err == nil && (!e.IsToken || e.Life.IsValid(s.Now())) {
			valid++
		}
	}
	return report.OK("%s; stored logins and tokens: %d%s", v.Dir, valid, s.foreignHome())
}

// foreignHome says why the vault is not in HOME; "" where it is.
func (s *session) foreignHome() string {
	if home := s.app.ForeignHome(); home != "" {
		return "; not in HOME (" + home + "), which belongs to another user"
	}
	return ""
}

// checkDocker also warns where Docker asks this helper, but clients that get only what list
// names don't find the registry yet.
func checkDocker(_ context.Context, s *session) report.Finding {
	f := s.clients.Docker(s.host)
	if f.Status != report.Passed || s.app == nil || s.app.Lists(s.host) || s.app.UserOf(s.host) == "" {
		return f
	}
	return report.Warn(fault.DockerNotListed, "%s; %s", f.Fact, fault.DockerNotListed.Meaning())
}

// checkDelegate looks for the helper that other registries' logins are handed to.
func checkDelegate(_ context.Context, s *session) report.Finding {
	d, err := s.app.Delegate()
	if err != nil {
		return s.failure(err)
	}
	if d == nil {
		return report.OK("none; other registries' logins are stored here")
	}
	path, err := d.Path()
	if err != nil {
		f := s.failure(err)
		f.Status = report.Warned // Azure registries don't need it
		return f
	}
	return report.OK("%s", path)
}

// protection says what a keyring protects the key against, and who has chosen it.
func protection(backend, path string, choice app.KeyringChoice) string {
	says := map[string]string{
		keystore.Kernel: ", until a reboot or three days without use",
		keystore.File:   " (" + path + "), protected by file permissions only",
	}[backend]
	if choice.Name == backend {
		says += "; chosen by " + choice.Source
	}
	return says
}

// checkKeyring reads the key as a get does: from the first backend that has it.
func checkKeyring(ctx context.Context, s *session) report.Finding {
	backends := s.app.Keys.Backends()
	choice := s.app.Keyring()
	if choice.Name == "none" {
		return report.OK("none, because %s is none: logins and tokens can't be stored", choice.Source)
	}
	if len(backends) == 0 {
		return report.Warn(fault.KeyringNone,
			"no keyring is available: logins and tokens can't be stored, and every get signs in")
	}
	code := fault.KeyringUnavailable
	var failures []string
	var last error
	for _, backend := range backends {
		_, err := s.app.Keys.Key(ctx, backend)
		path, made := s.app.KeyFile()
		place := cmdutil.KeyPlace(backend, made)
		state := "the key is in " + place + protection(backend, path, choice)
		if errors.Is(err, keystore.ErrNotFound) {
			err, state = s.app.Keys.TryWrite(ctx, backend), "no key yet; it is created in "+place+" at the first login"
		}
		switch {
		case err == nil && failures == nil:
			return report.OK("%s", state)
		case err == nil:
			return report.Warn(code, "%s; %s", strings.Join(failures, "; "), state)
		case fault.Is(err, fault.KeyringLocked):
			code = fault.KeyringLocked
		}
		failures, last = append(failures, err.Error()), err
	}
	f := report.Warn(code, "%s; logins and tokens can't be stored", strings.Join(failures, "; "))
	if backends[0] == keystore.File { // whose advice depends on the cause
		f.Hint = s.failure(last).Hint
	}
	return f
}
