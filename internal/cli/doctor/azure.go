package doctor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/finding"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/machine"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// checkIdentity says who would be chosen, and why.
func checkIdentity(_ context.Context, e *exam) finding.Finding {
	var err error
	if e.id, err = e.rooms.Identities.For(e.host); err != nil {
		return e.because(err)
	}
	switch e.id.Kind {
	case identity.None:
		why := ""
		if e.id.Source != "" {
			why = " (" + e.id.Source + ")"
		}
		return finding.Warn(finding.CodeNobody, "nobody is signed in for this registry%s", why).About(e.host.String())
	case identity.Anonymous:
		return finding.OK("nobody, from %s", e.id.Source)
	}
	return finding.OK("%s, from %s", e.id, e.id.Source)
}

// checkSignIn signs in as a get would that finds nothing kept, or opens what was
// stored for clients to see.
func checkSignIn(ctx context.Context, e *exam) finding.Finding {
	switch {
	case e.id.Nobody():
		return e.open(ctx, "an ACR token that was stored is answered")
	case e.id.AsStored():
		return e.open(ctx, "the stored login is answered as it is")
	}
	var err error
	e.access, err = e.rooms.SignIn(ctx, e.host, e.id)
	if e.id.Presumed && machine.Nobody(err) {
		return e.open(ctx, "this machine has no identity to speak of; an ACR token that was stored is answered")
	}
	if err != nil {
		return e.because(err)
	}
	return finding.OK("signed in as %s", e.id)
}

// open asks the helper itself, where that asks nobody else.
func (e *exam) open(ctx context.Context, fact string) finding.Finding {
	var err error
	var password string
	e.user, password, err = e.Helper.GetContext(ctx, e.host.String())
	if credentials.IsErrCredentialsNotFound(err) {
		e.anonymous = true
		return finding.Skip("nobody to sign in; clients go on anonymously")
	}
	if err != nil {
		return e.because(errors.Unwrap(err))
	}
	e.password = secret.New(password)
	return finding.OK("%s", fact)
}

func checkExchange(ctx context.Context, e *exam) finding.Finding {
	if e.access.Value.IsZero() {
		return finding.Skip("there is no Entra token to exchange")
	}
	token, err := e.rooms.Exchange.RefreshToken(ctx, e.host, e.access)
	if err != nil {
		return e.because(err)
	}
	e.user, e.password = credhelper.NullGUID, token.Value
	if token.Expires.IsZero() {
		return finding.OK("a token that says nothing of its end, and is not kept")
	}
	return finding.OK("a token for %s", inMinutes(token.Expires.Sub(token.Issued)))
}

// probe is a repository that need not exist: a registry says what a token would
// permit, not whether there is anything.
const probe = "docker-credential-acr-probe"

// checkPermissions asks for an access token as clients do with what they are
// answered. It lists nothing, since who may pull need not be allowed to list.
func checkPermissions(ctx context.Context, e *exam) finding.Finding {
	switch {
	case !e.anonymous && e.password.IsZero():
		return finding.Skip("not tried, because there is nothing to show to the registry")
	case e.id.Kind == identity.ServicePrincipal && e.id.Tenant == "":
		return finding.Skip("not tried: the client sends the secret to the registry, doctor does not")
	}
	repository, actions := probe, []string{"pull", "push"}
	if e.repository != "" {
		repository = e.repository
	}
	if e.anonymous {
		actions = actions[:1]
	}
	granted, err := e.rooms.Exchange.Permissions(ctx, e.host, e.user, e.password, repository, actions...)
	if refused := new(exchange.Error); errors.As(err, &refused) && refused.Code() == exchange.CodeUnauthorized {
		return e.refused().About(e.host.String())
	}
	if err != nil {
		return e.because(err)
	}
	return e.granted(granted).About(e.host.String())
}

// refused says what no access token at all means.
func (e *exam) refused() finding.Finding {
	switch {
	case e.anonymous:
		return finding.Fail(finding.CodeNotAnonymous, "the registry lets nobody in without credentials")
	case e.id.Kind == identity.RegistryUser:
		return finding.Fail(finding.CodePassword, "the registry does not take the stored password of %s", e.id)
	}
	return e.granted(nil)
}

// granted says what an access token permits. Without a repository nothing is no
// failure: under ABAC each has conditions of its own.
func (e *exam) granted(actions []string) finding.Finding {
	where := "in " + e.repository
	if e.repository == "" {
		where = "in a repository of any name"
	}
	switch {
	case slices.Contains(actions, "pull") && e.anonymous:
		return finding.OK("anybody may pull %s", where)
	case slices.Contains(actions, "pull"):
		return finding.OK("%s %s", strings.Join(actions, ", "), where)
	case e.anonymous:
		return finding.Fail(finding.CodeNotAnonymous, "nobody may pull %s without credentials", where)
	case e.repository == "":
		return finding.Warn(finding.CodePermissions, "no permission to pull %s", where)
	}
	return finding.Fail(finding.CodePullMissing, "no permission to pull %s", where)
}

// because is a failure that one of the rooms tells, with its code and hint.
func (e *exam) because(err error) finding.Finding {
	f := finding.Finding{Status: finding.Failed, Code: cmp.Or(failure.Code(err), finding.CodeFailed), Fact: err.Error()}
	about := &credhelper.Error{Registry: e.host.String(), Source: e.id.Source, Err: err}
	if e.id.Source != "" {
		about.Identity = e.id.String()
	}
	f.Hint = hint.For(about)
	return f
}
