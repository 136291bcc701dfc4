package identity

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

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
		} `json:"user"`
	} `json:"subscriptions"`
}

// fromAzureCLI finds the account of Azure CLI's default subscription, without
// running az: that takes half a second. Someone signed in to another cloud than
// the registry's is nobody here.
func (c Chooser) fromAzureCLI(host registry.Host, e Entry) (Identity, bool) {
	if c.AzureDir == "" {
		return Identity{}, false
	}
	content, err := os.ReadFile(filepath.Join(c.AzureDir, "azureProfile.json"))
	if err != nil {
		return Identity{}, false
	}
	var profile azureProfile
	// az writes the file with a byte order mark
	if json.Unmarshal(bytes.TrimPrefix(content, []byte("\ufeff")), &profile) != nil {
		return Identity{}, false
	}
	for _, s := range profile.Subscriptions {
		if s.IsDefault && s.EnvironmentName == host.Cloud().AzureCLI && validTenant(s.TenantID) && c.HasAzureCLI() {
			id := Identity{Kind: AzureCLI, Tenant: s.TenantID, User: s.User.Name, Source: "Azure CLI's default subscription"}
			if wanted := c.defaultTenant(e); wanted != "" && wanted != id.Tenant {
				id.Tenant, id.AskTenant = wanted, true
			}
			return id, true
		}
	}
	return Identity{}, false
}
