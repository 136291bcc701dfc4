package app

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
)

const (
	// kubeletTimeout leaves ten of the 60 seconds after which kubelet ends the program and
	// logs nothing of what was wrong.
	kubeletTimeout = 50 * time.Second
	// kubeletShareFailure is for how long a failure is shared: kubelet asks about every ten
	// seconds for each pod that waits, much more often than it tries to pull.
	kubeletShareFailure = 45 * time.Second
	// kubeletKeyFile has the key where the kernel keyring can't be used, as in a container
	// without keyctl. It is lost at reboot, as the kernel's is.
	kubeletKeyFile = "/run/" + program + "/key"
)

// OpenKubelet opens the parts for a request of kubelet. kubelet has no home directory as a
// rule, so config file and vault are in one directory of the computer's, unless
// DOCKER_CREDENTIAL_ACR_HOME says otherwise. No developer tool and no delegate is run.
func OpenKubelet(env Env, k selection.Kubelet) (*App, error) {
	getenv := env.Getenv()
	if getenv(homeVar) == "" {
		if dir := kubeletDir(runtime.GOOS, getenv); dir != "" {
			env.Environ = append(env.Environ[:len(env.Environ):len(env.Environ)], homeVar+"="+dir)
		}
	}
	a, err := Open(env)
	if err != nil {
		return nil, err
	}
	a.kubelet, a.timeout, a.Vault.ShareFailures = &k, kubeletTimeout, kubeletShareFailure
	if k.Node != nil && k.Node.IsStack && k.Node.Cloud.Suffix != "" {
		a.Clouds = append(a.Clouds[:len(a.Clouds):len(a.Clouds)], k.Node.Cloud)
	}
	if a.Keyring().Name == "" && runtime.GOOS == "linux" {
		if err := a.useNodeKey(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

const homeVar = "DOCKER_CREDENTIAL_ACR_HOME"

// kubeletDir returns the directory for what kubelet's requests need to store; "" for none.
func kubeletDir(system string, getenv func(string) string) string {
	if system != "windows" {
		return "/var/lib/" + program
	}
	if data := getenv("ProgramData"); filepath.IsAbs(data) {
		return filepath.Join(data, program, "kubelet")
	}
	return ""
}

// useNodeKey chooses the kernel keyring for the key, or else a file that is as private and
// lives as long. Neither needs a user to choose it: root can read azure.json anyway.
func (a *App) useNodeKey() error {
	keys, err := keystore.Open(keystore.Settings{Choice: keystore.Kernel, Getenv: a.Runner.Getenv})
	if err != nil {
		return err
	}
	_, err = keys.Key(context.Background(), keystore.Kernel)
	if err != nil && !errors.Is(err, keystore.ErrNotFound) {
		a.Log.Debug("the kernel keyring can't be used", "error", err)
		keys, err = keystore.Open(keystore.Settings{Choice: keystore.File, KeyFile: kubeletKeyFile, Getenv: a.Runner.Getenv})
		if err != nil {
			return err
		}
	}
	a.Keys, a.Vault.Keys = keys, keys
	return nil
}
