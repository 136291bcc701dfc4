package profile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
)

// Azd reads who is signed in to azd, and which cloud azd works for, from its
// directory ("" for none). Not ok means that its files don't tell.
func Azd(dir string) (user, tenant, cloud string, ok bool) {
	cloud, delegated, err := azdSettings(readFrom(dir, "config.json"))
	if err != nil {
		return "", "", "", false
	}
	user, tenant, ok = azdProfile(readFrom(dir, "auth.json"))
	return user, tenant, cloud, ok && !delegated
}

// PowerShell reads who is signed in to Azure PowerShell, and to which cloud, from
// its directory ("" for none). Not ok means that its files don't tell.
func PowerShell(dir string) (user, tenant, cloud string, ok bool) {
	return powerShellProfile(readPath(powerShellFile(dir, readFrom(dir, "AzureRmContextSettings.json"))))
}

// readFrom reads a file of a tool's; nil for none, or none that can be read.
func readFrom(dir, name string) []byte {
	if dir == "" {
		return nil
	}
	return readPath(filepath.Join(dir, name))
}

func readPath(path string) []byte {
	content, err := owner.ReadRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []byte("unreadable") // is no JSON
	}
	return bytes.TrimPrefix(content, []byte("\ufeff"))
}

// azdProfile reads who is signed in to azd from its auth.json. A person's
// homeAccountId is an object id and the tenant of it. An application has its own
// ids, a managed identity at most a client id. (azd's pkg/auth/manager.go,
// userProperties.)
func azdProfile(content []byte) (user, tenant string, ok bool) {
	var file struct {
		Auth struct {
			Account struct {
				CurrentUser struct {
					ManagedIdentity bool   `json:"managedIdentity"`
					HomeAccountID   string `json:"homeAccountId"`
					ClientID        string `json:"clientId"`
					TenantID        string `json:"tenantId"`
				} `json:"currentUser"`
			} `json:"account"`
		} `json:"auth"`
	}
	if json.Unmarshal(content, &file) != nil {
		return "", "", false
	}
	current := file.Auth.Account.CurrentUser
	switch object, home, _ := strings.Cut(current.HomeAccountID, "."); {
	case current.HomeAccountID != "":
		return object, home, identity.IsGUID(object) && identity.IsGUID(home)
	case current.ManagedIdentity:
		return strings.TrimSpace("managed identity " + current.ClientID), "", true
	}
	return current.ClientID, current.TenantID, current.ClientID != "" && identity.IsTenant(current.TenantID)
}

// azdSettings reads azd's config.json, which need not exist: which cloud azd
// works for, and whether it leaves signing in to Azure CLI.
func azdSettings(content []byte) (cloud string, delegated bool, err error) {
	var file struct {
		Auth struct {
			UseAzCLI any `json:"useAzCliAuth"`
		} `json:"auth"`
		Cloud struct {
			Name string `json:"name"`
		} `json:"cloud"`
	}
	if content != nil {
		err = json.Unmarshal(content, &file)
	}
	delegated, _ = strconv.ParseBool(fmt.Sprint(file.Auth.UseAzCLI))
	return cmp.Or(file.Cloud.Name, "AzureCloud"), delegated, err
}

// powerShellFile finds where Azure PowerShell keeps its contexts; "" where it
// keeps none beyond the end of a process. (Az.Accounts' AzureSessionInitializer:
// without its settings file, the profile's directory and CurrentUser.)
func powerShellFile(dir string, settings []byte) string {
	file := struct{ Mode, ContextDirectory, ContextFile string }{Mode: "CurrentUser"}
	if settings != nil && json.Unmarshal(settings, &file) != nil {
		return ""
	}
	dir = cmp.Or(file.ContextDirectory, dir)
	if file.Mode != "CurrentUser" || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, cmp.Or(file.ContextFile, "AzureRmContext.json"))
}

// powerShellProfile reads who is signed in to Azure PowerShell, and to which
// cloud, from its AzureRmContext.json: the account of the default context.
// (Az.Accounts' AzureRmProfile; the keys of Contexts may differ in case.)
func powerShellProfile(content []byte) (user, tenant, cloud string, ok bool) {
	var file struct {
		DefaultContextKey string
		Contexts          map[string]struct {
			Account     struct{ ID string }
			Tenant      struct{ ID string }
			Environment struct{ Name string }
		}
	}
	if json.Unmarshal(content, &file) != nil {
		return "", "", "", false
	}
	for key, context := range file.Contexts {
		if strings.EqualFold(key, file.DefaultContextKey) {
			user, tenant = context.Account.ID, context.Tenant.ID
			return user, tenant, context.Environment.Name, user != "" && identity.IsTenant(tenant)
		}
	}
	return "", "", "", false
}
