package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// checkPodman reports whether Podman uses this helper, and whether the stored login can be
// opened where Podman runs it: without root in a user namespace, whose kernel keyrings are
// others.
func checkPodman(ctx context.Context, s *session) report.Finding {
	f := s.clients.Podman(s.host)
	if f.Status != report.Passed || s.app == nil || !s.clients.InNamespace(s.host) {
		return f
	}
	v := s.app.Vault.Open()
	defer v.Close()
	id, err := s.app.Selector(v).Select(s.host)
	switch {
	case err != nil, id.Login == nil:
		return f // which the check of the identity reports; without a login nothing is opened
	case v.NotInNamespace(*id.Login) != nil:
		return s.failure(v.NotInNamespace(*id.Login))
	case id.Login.HasSecret() && s.failsInside(ctx):
		return report.Fail(fault.LoginKeyring, "the stored login can't be opened in the user namespace in which Podman runs "+
			"this helper; to see why, run: podman unshare %s status %s --check", cmdutil.Program, text.Quote(s.host.String()))
	}
	return f
}

// insideTimeout is far more than Podman takes to make its user namespace.
const insideTimeout = 10 * time.Second

// failsInside reports whether this program fails to open the login in Podman's user
// namespace. Where Podman can't make one, it can't pull either, and says why.
func (s *session) failsInside(ctx context.Context) bool {
	path, own := s.app.Runner.Find("podman"), ""
	if s.Executable != nil {
		own, _ = s.Executable()
	}
	if path == "" || own == "" {
		return false
	}
	_, err := s.app.Runner.Run(ctx, subprocess.Command{
		Path: path, Args: []string{"unshare", own, "status", s.host.String(), "--check"}, Timeout: insideTimeout,
		Inherits: subprocess.Only(subprocess.Basic, subprocess.Variables{"DOCKER_CREDENTIAL_ACR_*"}),
	})
	exit, ok := errors.AsType[*subprocess.ExitError](err)
	return ok && exit.Status == 1 // the program's own; Podman's are others
}
