// Package profile reads which accounts are signed in to developer tools, from those of
// their files that hold no secret, without running the tools, which would take seconds.
package profile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Subscription is one of those in Azure CLI's azureProfile.json, with the account that
// sees it. (Here and below, encoding/json finds the files' keys in any case.)
type Subscription struct {
	ID, Name, TenantID, EnvironmentName string
	IsDefault                           bool
	// AssignedIdentityInfo tells managed identities apart, all of which az calls
	// userAssignedIdentity or systemAssignedIdentity.
	User struct{ Name, Type, AssignedIdentityInfo string }
}

// IsIn reports whether the subscription is in a cloud.
func (s Subscription) IsIn(cloud registry.Cloud) bool {
	return s.EnvironmentName != "" && s.EnvironmentName == cloud.AzureCLI
}

// Cloud names the subscription's cloud in messages.
func (s Subscription) Cloud() string {
	return cmp.Or(text.Line(s.EnvironmentName), "an unknown cloud")
}

// Account returns the name of the account that sees the subscription.
func (s Subscription) Account() string {
	return text.Line(cmp.Or(s.User.AssignedIdentityInfo, s.User.Name))
}

// Fingerprint tells accounts apart.
func (s Subscription) Fingerprint() string {
	return strings.Join([]string{s.User.Type, s.User.Name, s.User.AssignedIdentityInfo}, "\n")
}

// Pick returns the only subscription with an id or name, whose id can be an argument of
// az. The error is a whole sentence.
func Pick(all []Subscription, wanted string) (Subscription, error) {
	var found []Subscription
	for _, s := range all {
		if strings.EqualFold(wanted, s.ID) || strings.EqualFold(wanted, s.Name) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return Subscription{}, fault.New(fault.ConfigSubscription, "Azure CLI has no subscription %q", wanted)
	case len(found) > 1:
		return Subscription{}, fault.New(fault.ConfigSubscription, "Azure CLI has %d subscriptions named %q",
			len(found), wanted)
	case !text.IsGUID(found[0].ID) || !text.IsTenant(found[0].TenantID):
		return Subscription{}, fault.New(fault.ConfigSubscription, "Azure CLI has no valid ID for subscription %q", wanted)
	}
	return found[0], nil
}

// Subscriptions returns the subscriptions of Azure CLI's profile; none where it can't be
// read. dir is Azure CLI's directory, "" for none.
func Subscriptions(dir string) []Subscription {
	var profile struct{ Subscriptions []Subscription }
	if json.Unmarshal(read(dir, "azureProfile.json"), &profile) != nil {
		return nil
	}
	return profile.Subscriptions
}

// Time returns when Azure CLI's profile was written; zero for unknown.
func Time(dir string) time.Time {
	info, err := os.Stat(filepath.Join(dir, "azureProfile.json"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// read reads a file of a tool; nil for none, and text that isn't JSON for one that can't
// be read.
func read(dir, name string) []byte {
	if dir == "" {
		return nil
	}
	content, err := safefile.Read(filepath.Join(dir, name), safefile.MaxText)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		content, err = safefile.Text(content)
	}
	if err != nil {
		return []byte("unreadable")
	}
	return content
}

// An Account is the one that is signed in to a developer tool.
type Account struct {
	User, Tenant string
	// Cloud is the cloud that the tool uses, by Azure CLI's names; "" for unknown.
	Cloud string
	// IsKnown is false where the tool's files don't tell the account.
	IsKnown bool
}

// Azd returns the account of azd and the cloud that it uses, from its directory ("" for
// none).
func Azd(dir string) Account {
	cloud, usesAzureCLI, err := azdSettings(read(dir, "config.json"))
	if err != nil {
		return Account{}
	}
	a := azdAccount(read(dir, "auth.json"))
	a.Cloud = cloud
	a.IsKnown = a.IsKnown && !usesAzureCLI
	return a
}

// PowerShell returns the account of Azure PowerShell and its cloud, from its directory
// ("" for none).
func PowerShell(dir string) Account {
	dir, name := powerShellFile(dir, read(dir, "AzureRmContextSettings.json"))
	return powerShellAccount(read(dir, name))
}

// azdAccount reads the account of azd's auth.json. A user's homeAccountId is an object ID
// and its tenant. An application has its own ids, a managed identity at most a client ID.
// (azd's pkg/auth/manager.go, userProperties.)
func azdAccount(content []byte) Account {
	var file struct {
		Auth struct {
			Account struct {
				CurrentUser struct {
					ManagedIdentity                   bool
					HomeAccountID, ClientID, TenantID string
				}
			}
		}
	}
	if json.Unmarshal(content, &file) != nil {
		return Account{}
	}
	user := file.Auth.Account.CurrentUser
	switch object, tenant, _ := strings.Cut(user.HomeAccountID, "."); {
	case user.HomeAccountID != "":
		return Account{User: object, Tenant: tenant, IsKnown: text.IsGUID(object) && text.IsGUID(tenant)}
	case user.ManagedIdentity:
		return Account{User: strings.TrimSpace("managed identity " + user.ClientID), IsKnown: true}
	}
	return Account{
		User: user.ClientID, Tenant: user.TenantID, IsKnown: user.ClientID != "" && text.IsTenant(user.TenantID),
	}
}

// azdSettings reads azd's config.json, which need not exist: the cloud that azd uses, and
// whether it signs in with Azure CLI.
func azdSettings(content []byte) (cloud string, usesAzureCLI bool, err error) {
	var file struct {
		Auth  struct{ UseAzCliAuth any }
		Cloud struct{ Name string }
	}
	if content != nil {
		err = json.Unmarshal(content, &file)
	}
	usesAzureCLI, _ = strconv.ParseBool(fmt.Sprint(file.Auth.UseAzCliAuth))
	return cmp.Or(file.Cloud.Name, "AzureCloud"), usesAzureCLI, err
}

// powerShellFile returns where Azure PowerShell keeps its contexts; "" where it keeps
// none after the end of a process. (Az.Accounts' AzureSessionInitializer: without its
// settings file, the profile's directory and CurrentUser.)
func powerShellFile(dir string, settings []byte) (fileDir, name string) {
	file := struct{ Mode, ContextDirectory, ContextFile string }{Mode: "CurrentUser"}
	if settings != nil && json.Unmarshal(settings, &file) != nil {
		return "", ""
	}
	dir = cmp.Or(file.ContextDirectory, dir)
	if file.Mode != "CurrentUser" || !filepath.IsAbs(dir) {
		return "", ""
	}
	return dir, cmp.Or(file.ContextFile, "AzureRmContext.json")
}

// powerShellAccount reads the account of the default context in Azure PowerShell's
// AzureRmContext.json. (Az.Accounts' AzureRmProfile; the keys of Contexts may differ in
// case.)
func powerShellAccount(content []byte) Account {
	var file struct {
		DefaultContextKey string
		Contexts          map[string]struct {
			Account     struct{ ID string }
			Tenant      struct{ ID string }
			Environment struct{ Name string }
		}
	}
	if json.Unmarshal(content, &file) != nil {
		return Account{}
	}
	for key, c := range file.Contexts {
		if strings.EqualFold(key, file.DefaultContextKey) {
			return Account{
				User: c.Account.ID, Tenant: c.Tenant.ID, Cloud: c.Environment.Name,
				IsKnown: c.Account.ID != "" && text.IsTenant(c.Tenant.ID),
			}
		}
	}
	return Account{}
}
