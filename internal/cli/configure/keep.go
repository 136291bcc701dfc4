package configure

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/delegate"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// keeps says whether the helper keeps just this login already, or what stands in the
// way of its leaving the file. An error is in the way of everything.
func (j *job) keeps(l leftover) (kept bool, obstacle string, err error) {
	if obstacle := l.obstacle(); obstacle != "" || !l.moves {
		return false, obstacle, nil
	}
	for _, m := range j.moves {
		switch {
		case m.server != l.server:
		case m.User == l.User && m.Secret == l.Secret:
			return true, "", nil
		default:
			return false, "", fmt.Errorf("%s and %s hold different logins for it: take the wrong one out, and repeat this", m.path, l.path)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyTimeout)
	defer cancel()
	user, value, found, err := j.stored(ctx, l)
	switch {
	case err != nil:
		return false, err.Error(), nil
	case found && user == l.User && value == l.Secret:
		return true, "", nil
	case found:
		return false, fmt.Sprintf("this helper keeps another login for it, and can't know which one is right (%s logout %s would forget that one)", desk.Program, l.server), nil
	case j.delegate(l) != nil:
		return false, "", nil
	}
	return false, j.unsealable(ctx), nil
}

// obstacle is what stands in the way whatever the helper keeps; "" for nothing.
func (l leftover) obstacle() string {
	switch scope := l.Scope(); {
	case !l.moves && l.shared:
		return "Podman reads it there, and asks this helper only with --client podman, too"
	case !l.moves:
		return ""
	case l.client == podman && l.Podman && strings.HasPrefix(scope, l.server+"/"):
		return "Podman takes it for " + scope + " alone"
	case l.refused:
		return "this helper keeps nothing under such a name; log in anew under another"
	case l.User == "" || l.Secret.IsZero():
		return "there is no name with a password that could be kept"
	}
	return ""
}

// stored is what the helper answers for a leftover's server without it.
func (j *job) stored(ctx context.Context, l leftover) (user string, value secret.String, found bool, err error) {
	login, err := j.rooms.Vault.Login(l.server)
	if login != nil && err == nil {
		value, err = j.rooms.Vault.Secret(ctx, *login)
		return login.UserName(), value, true, err
	}
	d := j.delegate(l)
	if err != nil || d == nil {
		return "", value, false, err
	}
	user, value, err = d.Get(ctx, l.server)
	if credentials.IsErrCredentialsNotFound(err) {
		return "", value, false, nil
	}
	return user, value, true, err
}

// delegate is who keeps a leftover in the helper's stead; nil for nobody.
func (j *job) delegate(l leftover) *delegate.Helper {
	d, _ := j.rooms.Delegate()
	if !l.foreign {
		return nil
	}
	return d
}

// unsealable is why no login can be kept for good; "" if one can.
func (j *job) unsealable(ctx context.Context) string {
	switch home, err := j.rooms.Vault.Home(ctx); {
	case err != nil:
		return err.Error() + "; see: " + desk.Program + " doctor"
	case home == "kernel":
		return "the kernel's keyring would forget it with the next restart; set DOCKER_CREDENTIAL_ACR_KEYRING=file for good, and repeat this"
	}
	return ""
}

// keyTimeout is above what the keyring is given, and a delegate.
const keyTimeout = 30 * time.Second

// move has the helper keep what docker login would have it keep.
func (j *job) move() error {
	for _, m := range j.moves {
		if err := j.Helper.Add(&credentials.Credentials{ServerURL: m.server, Username: m.User, Secret: m.Secret.Reveal()}); err != nil {
			return err
		}
		fmt.Fprintf(j.Stderr, "%s: the login of %q is kept\n", m.server, m.User)
	}
	return nil
}
