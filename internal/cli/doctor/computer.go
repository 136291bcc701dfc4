package doctor

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
)

// The program's own variables.
const (
	homeVar    = "DOCKER_CREDENTIAL_ACR_HOME"
	keyringVar = "DOCKER_CREDENTIAL_ACR_KEYRING"
)

// checkVersion tells what a bug report needs.
func checkVersion(_ context.Context, s *session) report.Finding {
	return report.OK("%s, %s/%s, %s", s.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// checkBinary finds what clients would run: the first program of this name on the PATH,
// which may be another one.
func checkBinary(_ context.Context, s *session) report.Finding {
	first, own := s.clients.FindProgram(cmdutil.Program), ""
	if s.Executable != nil {
		own, _ = s.Executable()
	}
	switch {
	case first == "":
		return report.Fail(fault.BinaryNotOnPath, "no %s on the PATH; this program is %s", cmdutil.Program, own)
	case own != "" && !subprocess.SameFile(first, own):
		return report.Fail(fault.BinaryShadowed, "clients run %s, not this program (%s)", first, own)
	}
	return report.OK("%s", first)
}

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
	none := "neither " + homeVar + " nor " + keyringVar + " is set"
	return report.OK("%s", cmp.Or(strings.Join(set, ", "), none))
}

// checkConfig names the config files, since users may not know of the machine's.
func checkConfig(_ context.Context, s *session) report.Finding {
	if err := s.app.Config.Err(); err != nil {
		return s.failure(err)
	}
	paths := strings.Join(s.app.Config.Paths(), ", ")
	return report.OK("%s", cmp.Or(paths, "no config file, and none is needed"))
}

// checkVault only warns: without a vault every get signs in, which is slow but works.
func checkVault(_ context.Context, s *session) report.Finding {
	v := s.app.Vault.Open()
	defer v.Close()
	if v.Dir == "" {
		return report.Warn(fault.VaultNoPlace, "there is no home directory; logins and tokens can't be stored")
	}
	entries, err := v.Entries()
	err = cmp.Or(v.Err(), err)
	switch {
	case err != nil:
		f := report.Warn(fault.VaultNotUsed, "%v; stored logins and tokens are ignored", err)
		f.Hint = cmp.Or(s.failure(err).Hint, f.Hint)
		return f
	case !v.Exists():
		return report.OK("%s (not created yet)", v.Dir)
	}
	valid := 0
	for _, e := range entries {
		if e.Err == nil && (!e.IsToken || e.Life.IsValid(s.Now())) {
			valid++
		}
	}
	return report.OK("%s; stored logins and tokens: %d", v.Dir, valid)
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

// checkKeyring reads the key as a get does: from the first backend that has it.
func checkKeyring(ctx context.Context, s *session) report.Finding {
	backends := s.app.Keys.Backends()
	if len(backends) == 0 && s.clients.Getenv(keyringVar) == "none" {
		return report.OK("none, because %s is none: logins and tokens can't be stored", keyringVar)
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
		state := "the key is in " + cmdutil.KeyPlace(backend)
		if errors.Is(err, keystore.ErrNotFound) {
			err, state = nil, "no key yet; it is created in "+cmdutil.KeyPlace(backend)+" at the first login"
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
