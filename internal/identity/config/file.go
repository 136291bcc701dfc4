package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// An Entry is what a config file says about a host or pattern. Empty fields are left to
// the environment.
type Entry struct {
	// Identity is the kind; None leaves the choice to the other rules.
	Identity identity.Kind
	// Tenant, ClientID, ObjectID, ResourceID and Audience are as in identity.Identity;
	// Subscription is an id or a name.
	Tenant, ClientID, ObjectID, ResourceID, Subscription, Audience string
	// Certificate is the path of a service principal's certificate and key.
	Certificate string
	// TokenFile, TokenVariable and FederatedBy are where an assertion comes from: a file,
	// a variable, or the managed identity with that client ID.
	TokenFile, TokenVariable, FederatedBy string
	// ServiceConnection is the id of a service connection of Azure Pipelines.
	ServiceConnection string

	// Pattern is the host or pattern that the entry is about; "" for no entry.
	Pattern string
	// Source is where the entry comes from.
	Source identity.Source
}

// A parsedEntry is an entry with its position in its file, and those of its keys.
type parsedEntry struct {
	Entry
	at   int
	keys map[string]int
}

// fields maps the keys of the file to the entry.
func (e *Entry) fields() map[string]*string {
	return map[string]*string{
		"identity": (*string)(&e.Identity), "tenant": &e.Tenant, "audience": &e.Audience,
		"clientId": &e.ClientID, "objectId": &e.ObjectID, "resourceId": &e.ResourceID,
		"certificate": &e.Certificate, "tokenFile": &e.TokenFile, "tokenVariable": &e.TokenVariable,
		"managedIdentity": &e.FederatedBy, "serviceConnection": &e.ServiceConnection, "subscription": &e.Subscription,
	}
}

// kinds are the kinds that a config file can name, with the keys that each of them uses,
// beside identity, tenant and audience.
var kinds = map[identity.Kind][]string{
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

// check returns what can't be meant in an entry, with the key that it is about; nil for
// nothing.
func (e Entry) check() (key string, err error) {
	used, known := kinds[e.Identity]
	if !known {
		return "identity", fmt.Errorf("unknown identity %q; use one of: %s", e.Identity, strings.Join(kindNames(), ", "))
	}
	fields := e.fields()
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		isCommon := key == "identity" || key == "tenant" || key == "audience"
		if *fields[key] != "" && !isCommon && !slices.Contains(used, key) {
			return key, fmt.Errorf("%s does not apply to %s", key, cmp.Or(string(e.Identity), "an entry without identity"))
		}
	}
	return e.validate()
}

// Validate returns what is wrong with the fields of an entry, each by itself and
// together; nil if nothing is.
func (e Entry) Validate() error {
	_, err := e.validate()
	return err
}

// validate is Validate with the key that the error is about.
func (e Entry) validate() (key string, err error) {
	switch {
	case e.Identity == identity.ServicePrincipal && e.ClientID == "":
		return "identity", errors.New("identity service-principal needs clientId (a GUID)")
	case e.Identity == identity.User && e.ClientID == "":
		return "identity", fmt.Errorf("identity user needs clientId (the application's GUID, or %s)", identity.AzureCLIClient)
	case several(e.ClientID, e.ObjectID, e.ResourceID):
		return "identity", errors.New("set only one of clientId, objectId and resourceId")
	case several(e.TokenFile, e.TokenVariable, e.FederatedBy):
		return "identity", errors.New("set only one of tokenFile, tokenVariable and managedIdentity")
	}
	isClientID := func(s string) bool {
		return text.IsGUID(s) || e.Identity == identity.User && s == identity.AzureCLIClient
	}
	for _, field := range []struct {
		key, value string
		isValid    func(string) bool
		want       string
	}{
		{"clientId", e.ClientID, isClientID, "a GUID"},
		{"objectId", e.ObjectID, text.IsGUID, "a GUID"},
		{"resourceId", e.ResourceID, isResourceID, "of the form /subscriptions/…/userAssignedIdentities/NAME"},
		{"managedIdentity", e.FederatedBy, text.IsGUID, "a GUID"},
		{"serviceConnection", e.ServiceConnection, text.IsGUID, "a GUID"},
		{"tenant", e.Tenant, text.IsTenant, "a GUID or a domain"},
		{"audience", e.Audience, isAudience, "of the form https://HOST"},
		{"tokenVariable", e.TokenVariable, isVariable, "the name of a variable"},
		{"certificate", e.Certificate, filepath.IsAbs, "an absolute path"},
		{"tokenFile", e.TokenFile, filepath.IsAbs, "an absolute path"},
	} {
		if field.value != "" && !field.isValid(field.value) {
			return field.key, fmt.Errorf("%s %q is not %s", field.key, field.value, field.want)
		}
	}
	return "", nil
}

func several(values ...string) bool {
	return len(slices.DeleteFunc(values, func(v string) bool { return v == "" })) > 1
}

// kindNames lists what identity may be.
func kindNames() (names []string) {
	for kind := range kinds {
		if kind != identity.None {
			names = append(names, string(kind))
		}
	}
	slices.Sort(names)
	return names
}

// isAudience reports whether s may become part of a scope, and an argument of Azure CLI.
func isAudience(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	return ok && text.IsHostName(host)
}

func isVariable(s string) bool { return text.Only(s, text.Lower+text.Upper+text.Digits+"_") }

// isResourceID reports whether s has the form of a user-assigned managed identity's
// resource ID. (Azure Resource Manager compares them without regard to case.)
func isResourceID(s string) bool {
	parts := strings.Split(s, "/")
	return len(parts) == 9 && parts[0] == "" && strings.EqualFold(parts[1], "subscriptions") && text.IsGUID(parts[2]) &&
		strings.EqualFold(parts[6], "Microsoft.ManagedIdentity") && strings.EqualFold(parts[7], "userAssignedIdentities") &&
		text.Line(s) == s && !strings.ContainsAny(s, "?#%& ")
}
