package credhelper

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

const contoso = "contoso.azurecr.io"

func TestError_Is(t *testing.T) {
	all := []error{ErrNotSignedIn, ErrSignInRequired, ErrKeyringLocked, ErrUnavailable}
	locked := fault.New(fault.KeyringLocked, "it is locked")
	for _, row := range []struct {
		err  error
		want error
		code string
	}{
		{&app.NotFoundError{Registry: contoso, Reason: "not signed in"}, ErrNotSignedIn, "no-identity"},
		{&app.NotFoundError{Registry: contoso}, nil, ""},
		{&app.NotFoundError{Reason: "ghcr.io is not an Azure container registry"}, nil, ""},
		{&app.Error{Registry: contoso, Err: fault.New(fault.AADSTS(50076), "refused")}, ErrSignInRequired, "AADSTS50076"},
		{&app.Error{Registry: contoso, Err: fault.New(fault.AzureCLISignedOut, "")}, ErrSignInRequired, "az-signed-out"},
		{&app.Error{Registry: contoso, Err: locked}, ErrKeyringLocked, "keyring-locked"},
		{
			&app.Error{Registry: contoso, Err: &fault.Error{Code: fault.LoginKeyring, Reason: "can't open", Cause: locked}},
			ErrKeyringLocked, "login-keyring",
		},
		{
			&app.Error{Registry: contoso, Err: fmt.Errorf("x: %w", fault.New(fault.EntraThrottled, ""))},
			ErrUnavailable, "entra-429",
		},
		{&app.Error{Registry: contoso, Err: fault.New(fault.RegistryDenied, "")}, nil, "acr-403"},
		{&app.Error{Registry: contoso, Err: errors.New("something")}, nil, "failed"},
		{errors.New("something"), nil, "failed"},
	} {
		err := fmt.Errorf("wrapped: %w", public(t.Context(), row.err))
		for _, sentinel := range all {
			if errors.Is(err, sentinel) != (sentinel == row.want) {
				t.Errorf("%v: Is %v: %v", err, sentinel, sentinel != row.want)
			}
		}
		var failed *Error
		var missing *NotFoundError
		switch {
		case errors.As(err, &failed) && failed.Code == row.code:
		case errors.As(err, &missing) && missing.Code == row.code && credentials.IsErrCredentialsNotFound(missing):
		default:
			t.Errorf("%v: want the code %q", err, row.code)
		}
	}
	if public(t.Context(), nil) != nil {
		t.Error("no error became one")
	}
}

// TestError_codes proves that the table has only codes of docs/codes.md, each once.
func TestError_codes(t *testing.T) {
	seen := map[fault.Code]bool{}
	for sentinel, codes := range sentinels {
		for _, code := range codes {
			if !code.IsKnown() || seen[code] {
				t.Errorf("%v: %s is unknown or there twice", sentinel, code)
			}
			seen[code] = true
		}
	}
}

func TestError_fields(t *testing.T) {
	id := identity.Identity{
		Kind: identity.User, User: "ada@contoso.com", Source: identity.Source{Kind: identity.FromLogin, Pattern: contoso},
	}
	refusal := &fault.Error{Code: fault.SignInAgain, Reason: "it has expired", RetryAfter: time.Minute}
	var e *Error
	if !errors.As(public(t.Context(), &app.Error{Registry: contoso, Identity: id, Err: refusal}), &e) {
		t.Fatal("no Error")
	}
	if e.Identity != "ada@contoso.com" || e.Source != "a stored login" || e.RetryAfter != time.Minute ||
		e.Error() != contoso+": it has expired" || !errors.Is(e, refusal) {
		t.Errorf("%+v", e)
	}
	if want := "Run: docker-credential-acr login " + contoso; e.Hint() != want {
		t.Errorf("hint %q, want %q", e.Hint(), want)
	}
	var missing *NotFoundError
	if !errors.As(public(t.Context(), &app.NotFoundError{Registry: contoso, Reason: "not signed in"}), &missing) {
		t.Fatal("no NotFoundError")
	}
	if hint := missing.Hint(); strings.Count(hint, contoso) != 1 || strings.HasPrefix(hint, contoso) {
		t.Errorf("hint %q", hint)
	}
}
