package configure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig/edit"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// A plaintext is a plaintext credential in a client's file, as az acr login, docker login
// and podman login write it.
type plaintext struct {
	dockerconfig.Credential
	facts        dockerconfig.Facts
	client, path string
	server       string // what clients call the registry when they ask this helper
	takesOver    bool   // Podman uses it, and not this helper
	instead      string // what there is without it; "" for unknown
}

// migrate plans what happens to the plaintext credentials in a client's files; see
// dockerconfig.Classify.
func (p *plan) migrate(client string, files ...string) error {
	for i, path := range files {
		contents, err := p.files.Read(path)
		if err != nil {
			return err
		}
		for _, credential := range contents.Credentials {
			c := plaintext{Credential: credential, client: client, path: path}
			if !p.gather(&c, contents, i == len(files)-1) {
				continue
			}
			if err := p.decide(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather fills in what is known about a credential. It reports whether the run is about
// it: its registry is configured and, once Docker has a helper for all registries, every
// other one; but not where Docker asks another helper.
func (p *plan) gather(c *plaintext, contents dockerconfig.Contents, isLast bool) bool {
	c.server = c.Hostname()
	host, notACR := p.app.Clouds.ParseHost(c.server)
	isConfigured := p.all && c.client == docker
	if notACR == nil {
		c.server, isConfigured = host.String(), p.isConfigured(host)
	}
	asksOther := contents.HasHelper(c.server) && contents.Helpers[c.server] != dockerconfig.Helper
	if !isConfigured || c.client == docker && asksOther || c.client == helm && contents.HasHelper(c.server) {
		return false
	}
	c.takesOver = c.client == podman && p.paths.PodmanReadsFirst(c.Credential, c.server, contents, p.all, isLast) ||
		c.client == helm
	if notACR == nil {
		c.facts.HelperSignsIn, c.instead = p.signsIn(host, c.Token)
	}
	c.facts.OtherRegistry, c.facts.InvalidName = notACR != nil, errors.Is(notACR, registry.ErrInvalid)
	c.facts.SomeRepositories = c.client == podman && c.IsForSome(c.server)
	c.facts.PodmanReads = c.client == docker && slices.ContainsFunc(dockerconfig.PodmanPrograms, p.isOnPath) &&
		p.paths.PodmanReads(c.Credential, c.server, contents, p.all && p.hasClient(podman))
	return true
}

// isConfigured reports whether clients ask this helper about a registry after the run.
func (p *plan) isConfigured(host registry.Host) bool {
	return p.all || slices.Contains(p.hosts, host.String())
}

// signsIn reports whether this helper signs in to a registry without any stored password,
// and what there is instead of a credential; "" for unknown.
func (p *plan) signsIn(host registry.Host, isToken bool) (ok bool, instead string) {
	id, err := p.app.Select(host)
	switch {
	case err == nil && isToken && id.IsAnonymous():
		return false, "Without it, you are not signed in"
	case err != nil, id.IsAnonymous(), id.Detected, id.IsStatic():
		return false, ""
	}
	return true, fmt.Sprintf("Without it, you sign in as %s (from %s)", id, id.Source)
}

// decide plans what happens to a credential, if the user agrees.
func (p *plan) decide(c plaintext) error {
	why := ""
	action, reason := dockerconfig.Classify(c.Credential, c.facts)
	if action.Stores() && (p.migratePlaintext || p.canAsk()) { // for a note, keyring and delegate need not be asked
		c.facts.Stored, why = p.stored(c)
		action, reason = dockerconfig.Classify(c.Credential, c.facts)
	}
	switch {
	case reason == dockerconfig.AlreadyStored:
		c.instead = "This helper has stored the same credential"
	case action == dockerconfig.Stop:
		return cmdutil.About(c.server, errors.New(why))
	case action == dockerconfig.Keep:
		p.notes = append(p.notes, fmt.Sprintf("%s. It is kept: %s", c, cmp.Or(why, stays[reason])))
		return nil
	}
	if !p.confirm(c, action) {
		return nil
	}
	if action.Stores() {
		p.toStore = append(p.toStore, c)
	}
	if action == dockerconfig.Copy {
		return nil
	}
	return p.files.Edit(c.path, func(text []byte) ([]byte, error) { return edit.RemoveCredential(text, c.Server) })
}

// canAsk reports whether the user can be asked. A dry run asks nothing, since the answer
// would have no effect.
func (p *plan) canAsk() bool { return p.StdinIsTerminal && !p.dryRun }

// stays explains why a credential stays, for the reasons that depend on nothing else.
var stays = map[dockerconfig.Reason]string{
	dockerconfig.PodmanReads:      "Podman reads it and does not use this helper",
	dockerconfig.SomeRepositories: "Podman uses it only for those repositories",
	dockerconfig.InvalidName: "this helper can't store it under that name; " +
		"sign in again with the registry's host name",
	dockerconfig.Incomplete: "it has no username and password that could be stored",
}

// actions is how the user is asked for an action, and how it is announced.
var actions = map[dockerconfig.Action]struct{ question, announcement string }{
	dockerconfig.Delete: {"delete it", "It will be deleted"},
	dockerconfig.Move:   {"move it to this helper, encrypted", "It will be moved to this helper"},
	dockerconfig.Copy:   {"copy it to this helper, encrypted", "It will be copied to this helper, and kept for Podman"},
}

// confirm reports whether the user agrees to an action, by --migrate-plaintext or by an
// answer.
func (p *plan) confirm(c plaintext, action dockerconfig.Action) bool {
	texts := actions[action]
	switch {
	case p.migratePlaintext:
		p.Notef("%s. %s", c, texts.announcement)
		return true
	case !p.canAsk():
		p.notes = append(p.notes, fmt.Sprintf("%s. To %s, run this again with --migrate-plaintext", c, texts.question))
		return false
	}
	question := strings.ToUpper(texts.question[:1]) + texts.question[1:]
	answer, _ := p.AskLine(fmt.Sprintf("%s. %s? [y/N] ", c, question)) // no answer is a no
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(answer))
}

// String describes the credential, without its secret.
func (c plaintext) String() string {
	what, user, why := "a plaintext credential", "", "which is no longer used"
	switch {
	case c.Token:
		what = "a plaintext token"
	case c.User != "":
		what, user = "a plaintext password", fmt.Sprintf(" (user %q)", c.User)
	}
	switch {
	case c.takesOver:
		why = "which takes precedence over this helper"
	case c.client == docker:
		why = "which Docker no longer uses"
	}
	if c.instead != "" {
		why += ". " + c.instead
	}
	return fmt.Sprintf("%s has %s for %s%s, %s", c.path, what, dockerconfig.RedactKeys(c.Server), user, why)
}

// stored compares a credential with what is stored, or is going to be, for its registry.
// It returns "" if the credential can be stored, and otherwise also why not.
func (p *plan) stored(c plaintext) (reason dockerconfig.Reason, why string) {
	for _, other := range p.toStore {
		switch {
		case other.server != c.server:
		case other.User == c.User && other.Secret == c.Secret:
			return dockerconfig.AlreadyStored, ""
		default:
			return dockerconfig.OtherPlanned, fmt.Sprintf(
				"%s and %s have different credentials for it; remove the wrong one, and run this again", other.path, c.path)
		}
	}
	const timeout = 30 * time.Second // more than keyring and delegate are given
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s := p.app.Vault.Open()
	defer s.Close()
	found, err := p.find(ctx, s, c)
	_, isMissing := errors.AsType[*app.NotFoundError](err)
	switch {
	case err == nil && found.User == c.User && found.Secret == c.Secret:
		return dockerconfig.AlreadyStored, ""
	case err == nil:
		return dockerconfig.OtherStored, fmt.Sprintf("a different login is already stored for %s; to use this one instead, "+
			"run: %s logout %[1]s, and run this again", c.server, cmdutil.Program)
	case isMissing:
		err = p.checkStorable(ctx, s, c)
	}
	if err != nil {
		return dockerconfig.CannotStore, err.Error()
	}
	return "", ""
}

// find returns what this helper, or its delegate, has stored for a registry; an
// *app.NotFoundError for nothing.
func (p *plan) find(ctx context.Context, s *vault.Session, c plaintext) (app.Credential, error) {
	if c.facts.OtherRegistry {
		return p.app.Get(ctx, c.server, false)
	}
	login, err := s.Login(c.server)
	switch {
	case err != nil:
		return app.Credential{}, err
	case login == nil:
		return app.Credential{}, &app.NotFoundError{}
	}
	value, err := s.Secret(ctx, *login)
	return app.Credential{User: login.UserName(), Secret: value}, err
}

// checkStorable returns why a credential can't be stored durably; nil if it can.
func (p *plan) checkStorable(ctx context.Context, s *vault.Session, c plaintext) error {
	if d, _ := p.app.Delegate(); d != nil && c.facts.OtherRegistry {
		return nil
	}
	switch backend, err := s.WritableBackend(ctx); {
	case err != nil:
		return fmt.Errorf("%w; see: %s doctor", err, cmdutil.Program)
	case backend == keystore.Kernel:
		return errors.New("it would be lost at the next reboot (kernel keyring); " +
			"run: docker-credential-acr login REGISTRY --keyring file, and then this again")
	}
	return nil
}

// store stores credentials as docker login would.
func (p *plan) store() error {
	for _, c := range p.toStore {
		if err := p.app.Store(context.Background(), c.server, c.User, c.Secret); err != nil {
			return err
		}
		p.Notef("%s: stored the login of %q", c.server, c.User)
	}
	return nil
}

// warnOfAuthVariable warns of DOCKER_AUTH_CONFIG, which has credentials as config.json
// does, and counts before any helper.
func (p *plan) warnOfAuthVariable() {
	const variable = "DOCKER_AUTH_CONFIG"
	servers, _ := dockerconfig.ParseAuthVariable(p.app.Runner.Getenv(variable))
	for _, server := range servers {
		host, err := p.app.Clouds.ParseHost(server)
		if err == nil && host.String() == server && p.isConfigured(host) {
			p.Notef("%s has a credential for %s, which takes precedence over this helper; "+
				"remove it there, or unset the variable", variable, server)
		}
	}
}
