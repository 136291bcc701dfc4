package devtool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// An Error says why a developer tool had no token for us. What the tool
// itself printed stays out of it.
type Error struct {
	// Why continues a sentence.
	Why string
	// Hint is one of the codes below.
	Hint string
}

func (e *Error) Error() string { return e.Why }

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// Codes of tool errors.
const (
	CodeAzMissing     = "az-missing"
	CodeAzSignedOut   = "az-signed-out"
	CodeAzTimeout     = "az-timeout"
	CodeAzFailed      = "az-failed"
	CodeAzOtherTenant = "az-other-tenant"
)

// AzureCLI asks the signed-in Azure CLI, which renews its own token. One run
// takes half a second to three.
func (t Tools) AzureCLI(ctx context.Context, id identity.Identity) (secret.Token, error) {
	args := []string{"account", "get-access-token", "--output", "json", "--resource", id.Audience}
	if id.AskTenant {
		args = append(args, "--tenant", id.Tenant)
	}
	out, err := t.run(ctx, "az", args...)
	if err != nil {
		return secret.Token{}, azError(err)
	}
	answer, err := parseAz(out)
	if err != nil {
		return secret.Token{}, &Error{"Azure CLI's answer is not understood", CodeAzFailed}
	}
	if !answer.expires.After(t.Now()) {
		return secret.Token{}, &Error{"Azure CLI answered with an expired token", CodeAzFailed}
	}
	if identity.IsGUID(id.Tenant) && !strings.EqualFold(answer.Tenant, id.Tenant) {
		return secret.Token{}, &Error{fmt.Sprintf("Azure CLI answered for tenant %.36q instead of %s", answer.Tenant, id.Tenant), CodeAzOtherTenant}
	}
	return secret.Token{Value: secret.New(answer.AccessToken), Issued: t.Now(), Expires: answer.expires}, nil
}

type azAnswer struct {
	AccessToken string `json:"accessToken"`
	Tenant      string `json:"tenant"`
	// ExpiresOn is local time without a zone.
	ExpiresOn string `json:"expiresOn"`
	// ExpiresAt is in seconds since 1970; az has it since 2.54.
	ExpiresAt int64 `json:"expires_on"`
	expires   time.Time
}

func parseAz(out []byte) (azAnswer, error) {
	var a azAnswer
	if err := json.Unmarshal(out, &a); err != nil {
		return azAnswer{}, err
	}
	if a.AccessToken == "" {
		return azAnswer{}, fmt.Errorf("no accessToken")
	}
	if a.ExpiresAt != 0 {
		a.expires = time.Unix(a.ExpiresAt, 0)
		return a, nil
	}
	var err error
	a.expires, err = time.ParseInLocation("2006-01-02 15:04:05", a.ExpiresOn, time.Local)
	return a, err
}

// azError reads what az complained of: a number of Entra's, or its own sentence
// for someone who isn't signed in. (Both recorded from az 2.45.)
func azError(err error) error {
	var failed *exitError
	switch {
	case asExit(err, &failed) && authority.FindAADSTS(failed.stderr) != 0:
		return &authority.Error{AADSTS: authority.FindAADSTS(failed.stderr)}
	case asExit(err, &failed) && strings.Contains(failed.stderr, "az login"):
		return &Error{"Azure CLI is not signed in", CodeAzSignedOut}
	case asExit(err, &failed):
		return &Error{fmt.Sprintf("Azure CLI ended with exit status %d", failed.status), CodeAzFailed}
	}
	return err
}
