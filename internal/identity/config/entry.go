package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// An Entry is what a config file says about a host or pattern. Empty fields are
// left to the environment.
type Entry struct {
	// Identity is the kind; None leaves the choice to the other rules.
	Identity identity.Kind
	// Tenant, ClientID, ObjectID, ResourceID, Subscription and Audience are as in
	// Identity; a Subscription may be named, too.
	Tenant, ClientID, ObjectID, ResourceID, Subscription, Audience string
	// Certificate is the path of a service principal's certificate and key.
	Certificate string
	// TokenFile, TokenVariable and VouchedBy say where an assertion comes from: a
	// file, a variable, or the managed identity of that client id.
	TokenFile, TokenVariable, VouchedBy string
	// ServiceConnection is the id of a service connection of Azure Pipelines.
	ServiceConnection string

	// Pattern is the host or pattern that the entry is about; "" for no entry.
	Pattern string
	// Source says where it stands, for people.
	Source string
}

// fields maps the keys of the file to the entry.
func (e *Entry) fields() map[string]*string {
	return map[string]*string{
		"identity": (*string)(&e.Identity), "tenant": &e.Tenant, "audience": &e.Audience,
		"clientId": &e.ClientID, "objectId": &e.ObjectID, "resourceId": &e.ResourceID,
		"certificate": &e.Certificate, "tokenFile": &e.TokenFile, "tokenVariable": &e.TokenVariable,
		"managedIdentity": &e.VouchedBy, "serviceConnection": &e.ServiceConnection, "subscription": &e.Subscription,
	}
}

// uses lists the kinds that a config file can name, and which keys each of them
// has a use for, beside identity, tenant and audience.
var uses = map[identity.Kind][]string{
	identity.None:              {},
	identity.Anonymous:         {},
	identity.User:              {"clientId"},
	identity.ServicePrincipal:  {"clientId", "certificate"},
	identity.WorkloadIdentity:  {"clientId", "tokenFile"},
	identity.FederatedToken:    {"clientId", "tokenFile", "tokenVariable", "managedIdentity"},
	identity.GitHubActions:     {"clientId"},
	identity.AzurePipelines:    {"clientId", "serviceConnection"},
	identity.ManagedIdentity:   {"clientId", "objectId", "resourceId"},
	identity.AzureCLI:          {"subscription"},
	identity.AzureDeveloperCLI: {},
	identity.AzurePowerShell:   {},
}

func parseEntry(content []byte) (e Entry, err error) {
	err = eachString(content, e.fields())
	return e, err
}

// check refuses what can't be meant.
func (e Entry) check(pattern string, clouds registry.Clouds) error {
	useful, known := uses[e.Identity]
	switch {
	case !clouds.IsPattern(pattern):
		return fmt.Errorf("%q names no Azure container registry (a name is in lower case, and ends like contoso.azurecr.io)", pattern)
	case !known:
		return fmt.Errorf("%s: there is no identity %q; there are %s", pattern, e.Identity, kinds())
	}
	for key, value := range e.fields() {
		if *value != "" && !slices.Contains(append(useful, "identity", "tenant", "audience"), key) {
			return fmt.Errorf("%s: %s is of no use to %s", pattern, key, cmp.Or(string(e.Identity), "an entry without identity"))
		}
	}
	if err := e.Valid(); err != nil {
		return fmt.Errorf("%s: %w", pattern, err)
	}
	return nil
}

// Valid says what is wrong with the fields of an entry, each by itself and together.
func (e Entry) Valid() error {
	switch {
	case e.Identity == identity.ServicePrincipal && !identity.IsGUID(e.ClientID):
		return fmt.Errorf("a service principal needs a GUID as its clientId")
	case e.Identity == identity.User && e.ClientID == "":
		return fmt.Errorf("a user needs the application to sign in to as its clientId: a GUID, or %s", identity.AzureCLIWord)
	case e.ClientID != "" && !identity.IsGUID(e.ClientID) && (e.Identity != identity.User || e.ClientID != identity.AzureCLIWord):
		return fmt.Errorf("clientId %q is not a GUID", e.ClientID)
	case e.Tenant != "" && !identity.IsTenant(e.Tenant):
		return fmt.Errorf("tenant %q is neither a GUID nor a domain", e.Tenant)
	case e.Audience != "" && !validAudience(e.Audience):
		return fmt.Errorf("audience %q is not of the form https://HOST", e.Audience)
	case several(e.ClientID, e.ObjectID, e.ResourceID):
		return fmt.Errorf("a managed identity is named by one of clientId, objectId and resourceId")
	case several(e.TokenFile, e.TokenVariable, e.VouchedBy):
		return fmt.Errorf("a federated token comes from one of tokenFile, tokenVariable and managedIdentity")
	case e.ResourceID != "" && !validResourceID(e.ResourceID):
		return fmt.Errorf("resourceId %q is not of the form /subscriptions/…/userAssignedIdentities/NAME", e.ResourceID)
	case strings.Trim(e.TokenVariable, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return fmt.Errorf("tokenVariable %q is not a variable's name", e.TokenVariable)
	}
	for _, id := range []struct{ key, value string }{
		{"objectId", e.ObjectID}, {"managedIdentity", e.VouchedBy}, {"serviceConnection", e.ServiceConnection},
	} {
		if id.value != "" && !identity.IsGUID(id.value) {
			return fmt.Errorf("%s %q is not a GUID", id.key, id.value)
		}
	}
	for _, path := range []struct{ key, value string }{{"certificate", e.Certificate}, {"tokenFile", e.TokenFile}} {
		if path.value != "" && !filepath.IsAbs(path.value) {
			return fmt.Errorf("%s %q is not an absolute path", path.key, path.value)
		}
	}
	return nil
}

func several(values ...string) bool {
	return len(slices.DeleteFunc(values, func(v string) bool { return v == "" })) > 1
}

// kinds lists what identity may say, for messages.
func kinds() string {
	var names []string
	for kind := range uses {
		if kind != identity.None {
			names = append(names, string(kind))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// validAudience keeps an audience to what may stand in a scope and on Azure
// CLI's command line.
func validAudience(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	return ok && identity.IsName(host)
}

// validResourceID says whether a string has the form of a user-assigned managed
// identity's resource id. (Azure Resource Manager compares them without regard
// to case.)
func validResourceID(s string) bool {
	parts := strings.Split(s, "/")
	return len(parts) == 9 && parts[0] == "" && strings.EqualFold(parts[1], "subscriptions") && identity.IsGUID(parts[2]) &&
		strings.EqualFold(parts[6], "Microsoft.ManagedIdentity") && strings.EqualFold(parts[7], "userAssignedIdentities") &&
		identity.Printable(s) == s && !strings.ContainsAny(s, "?#%& ")
}
