package identity

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// azureProfile is the part of Azure CLI's azureProfile.json that says who is
// signed in. It holds no secret.
type azureProfile struct {
	Subscriptions []struct {
		TenantID        string `json:"tenantId"`
		IsDefault       bool   `json:"isDefault"`
		EnvironmentName string `json:"environmentName"`
		User            struct {
			Name string `json:"name"`
			Type string `json:"type"`
			// Assigned tells managed identities apart, all of which az calls
			// userAssignedIdentity or systemAssignedIdentity.
			Assigned string `json:"assignedIdentityInfo"`
		} `json:"user"`
	} `json:"subscriptions"`
}

// fromAzureCLI finds the account of Azure CLI's default subscription, without
// running az: that takes half a second. Someone signed in to another cloud than
// the registry's is nobody here. The Source of nobody says what is missing.
func (c Chooser) fromAzureCLI(host registry.Host, e Entry) Identity {
	var profile azureProfile
	content, err := c.readProfile()
	// az writes the file with a byte order mark
	if err != nil || json.Unmarshal(bytes.TrimPrefix(content, []byte("\ufeff")), &profile) != nil {
		return Identity{}
	}
	nobody := Identity{}
	for _, s := range profile.Subscriptions {
		switch {
		case !s.IsDefault || !validTenant(s.TenantID):
			continue
		case s.EnvironmentName == "" || s.EnvironmentName != host.Cloud().AzureCLI:
			nobody.Source = "Azure CLI is signed in to " + printable(s.EnvironmentName)
			continue
		case !c.HasAzureCLI():
			return Identity{Source: "Azure CLI is signed in, but az is not on the PATH"}
		}
		id := Identity{
			Kind: AzureCLI, Tenant: s.TenantID, User: printable(cmp.Or(s.User.Assigned, s.User.Name)),
			Fingerprint: strings.Join([]string{s.User.Type, s.User.Name, s.User.Assigned}, "\n"), Source: "Azure CLI's default subscription",
		}
		if wanted := c.defaultTenant(e); wanted != "" && wanted != id.Tenant {
			id.Tenant, id.AskTenant = wanted, true
		}
		return id
	}
	return nobody
}

func (c Chooser) readProfile() ([]byte, error) {
	if c.AzureDir == "" {
		return nil, fs.ErrNotExist
	}
	return readRegular(filepath.Join(c.AzureDir, "azureProfile.json"))
}

// printable keeps a name that somebody else wrote to one line.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, name)
}
