package devtool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
)

// Codes of Azure CLI's errors.
const (
	CodeAzMissing        = "az-missing"
	CodeAzSignedOut      = "az-signed-out"
	CodeAzTimeout        = "az-timeout"
	CodeAzFailed         = "az-failed"
	CodeAzOtherTenant    = "az-other-tenant"
	CodeAzNoSubscription = "az-no-subscription"
)

// A token that az must renew takes it up to three seconds; with Entra out of
// reach it has no end of its own.
var azureCLI = program{
	product: "Azure CLI", names: []string{"az"}, timeout: 10 * time.Second, login: "az login",
	missing: CodeAzMissing, signedOut: CodeAzSignedOut, late: CodeAzTimeout, failed: CodeAzFailed,
}

// AzureCLI asks the signed-in Azure CLI, which renews its own token. One run
// takes half a second to three.
func (t Tools) AzureCLI(ctx context.Context, id identity.Identity) (secret.Token, error) {
	if err := azureCLI.check(id); err != nil {
		return secret.Token{}, err
	}
	args := []string{"account", "get-access-token", "--output", "json", "--resource", id.Audience}
	switch { // az refuses both together
	case id.Subscription != "":
		args = append(args, "--subscription", id.Subscription)
	case id.AskTenant:
		args = append(args, "--tenant", id.Tenant)
	}
	out, err := t.run(ctx, azureCLI, args...)
	if err != nil {
		return secret.Token{}, explainAz(err, id)
	}
	answer, err := parseAz(out)
	if err != nil {
		return secret.Token{}, azureCLI.garbled()
	}
	token, err := t.accept(azureCLI, answer.AccessToken, answer.expires)
	if err == nil && identity.IsGUID(id.Tenant) && !strings.EqualFold(answer.Tenant, id.Tenant) {
		return secret.Token{}, &Error{fmt.Sprintf("Azure CLI answered for tenant %.36q instead of %s", answer.Tenant, id.Tenant), CodeAzOtherTenant}
	}
	return token, err
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
		return azAnswer{}, errors.New("no accessToken")
	}
	if a.ExpiresAt != 0 {
		a.expires = time.Unix(a.ExpiresAt, 0)
		return a, nil
	}
	var err error
	a.expires, err = time.ParseInLocation("2006-01-02 15:04:05", a.ExpiresOn, time.Local)
	return a, err
}

// explainAz knows that az names a subscription only to say that there is none
// such: it was removed since the profile was read, or az is another user's.
func explainAz(err error, id identity.Identity) error {
	var failed *tool.ExitError
	if errors.As(err, &failed) && id.Subscription != "" && authority.FindAADSTS(failed.Stderr) == 0 && strings.Contains(failed.Stderr, id.Subscription) {
		return &Error{"Azure CLI has no subscription " + id.Subscription, CodeAzNoSubscription}
	}
	return azureCLI.explain(err)
}
