package devtool

import (
	"context"
	"encoding/json"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// Codes of Azure Developer CLI's errors.
const (
	CodeAzdMissing   = "azd-missing"
	CodeAzdSignedOut = "azd-signed-out"
	CodeAzdTimeout   = "azd-timeout"
	CodeAzdFailed    = "azd-failed"
)

var azureDeveloperCLI = program{
	product: "Azure Developer CLI", names: []string{"azd"}, timeout: 10 * time.Second, login: "azd auth login",
	missing: CodeAzdMissing, signedOut: CodeAzdSignedOut, late: CodeAzdTimeout, failed: CodeAzdFailed,
}

// AzureDeveloperCLI asks the signed-in azd, which renews its own token. One run
// takes a second or two. Its answer doesn't say whose token it is. (Command and
// answer as in azidentity's AzureDeveloperCLICredential.)
func (t Tools) AzureDeveloperCLI(ctx context.Context, id identity.Identity) (secret.Token, error) {
	if err := azureDeveloperCLI.check(id); err != nil {
		return secret.Token{}, err
	}
	args := []string{"auth", "token", "-o", "json", "--no-prompt", "--scope", id.Audience + "/.default"}
	if id.AskTenant {
		args = append(args, "--tenant-id", id.Tenant)
	}
	out, err := t.run(ctx, azureDeveloperCLI, args...)
	if err != nil {
		return secret.Token{}, azureDeveloperCLI.explain(err)
	}
	var answer struct {
		Token     string    `json:"token"`
		ExpiresOn time.Time `json:"expiresOn"`
	}
	if json.Unmarshal(out, &answer) != nil || answer.Token == "" || answer.ExpiresOn.IsZero() {
		return secret.Token{}, azureDeveloperCLI.garbled()
	}
	return t.accept(azureDeveloperCLI, answer.Token, answer.ExpiresOn)
}
