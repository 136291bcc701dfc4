package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
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

// check refuses an entry that can't be meant.
func (e Entry) check(clouds registry.Clouds) error {
	used, known := kinds[e.Identity]
	switch {
	case !clouds.IsPattern(e.Pattern):
		return fmt.Errorf("%q is not an Azure container registry or pattern (lower case, for example contoso.azurecr.io or *.azurecr.io)", e.Pattern)
	case !known:
		return fmt.Errorf("%s: unknown identity %q; use one of: %s", e.Pattern, e.Identity, kindNames())
	}
	for key, value := range e.fields() {
		if *value != "" && !slices.Contains(append(used, "identity", "tenant", "audience"), key) {
			return fmt.Errorf("%s: %s does not apply to %s", e.Pattern, key, cmp.Or(string(e.Identity), "an entry without identity"))
		}
	}
	if err := e.Validate(); err != nil {
		return fmt.Errorf("%s: %w", e.Pattern, err)
	}
	return nil
}

// Validate returns what is wrong with the fields of an entry, each by itself and
// together; nil if nothing is.
func (e Entry) Validate() error {
	switch {
	case e.Identity == identity.ServicePrincipal && e.ClientID == "":
		return errors.New("identity service-principal needs clientId (a GUID)")
	case e.Identity == identity.User && e.ClientID == "":
		return fmt.Errorf("identity user needs clientId (the application's GUID, or %s)", identity.AzureCLIClient)
	case several(e.ClientID, e.ObjectID, e.ResourceID):
		return errors.New("set only one of clientId, objectId and resourceId")
	case several(e.TokenFile, e.TokenVariable, e.FederatedBy):
		return errors.New("set only one of tokenFile, tokenVariable and managedIdentity")
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
			return fmt.Errorf("%s %q is not %s", field.key, field.value, field.want)
		}
	}
	return nil
}

func several(values ...string) bool {
	return len(slices.DeleteFunc(values, func(v string) bool { return v == "" })) > 1
}

// kindNames lists what identity may be, for messages.
func kindNames() string {
	var names []string
	for kind := range kinds {
		if kind != identity.None {
			names = append(names, string(kind))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
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

// parse parses a config file. Its errors name the file.
func parse(path string, content []byte) (file, error) {
	f := file{path: path, registries: map[string]Entry{}}
	content = safefile.TrimBOM(content)
	if len(bytes.TrimSpace(content)) == 0 {
		return f, f.wrong(errors.New("it is empty"))
	}
	err := eachKey(content, func(key string, value json.RawMessage) (err error) {
		switch key {
		case "$schema": // for editors
			return nil
		case "registries":
			return eachKey(value, func(pattern string, value json.RawMessage) error {
				e := Entry{Pattern: pattern, Source: identity.Source{Kind: identity.FromConfig, Name: path, Pattern: pattern}}
				err := eachString(value, e.fields())
				f.registries[pattern] = e
				if err != nil {
					return fmt.Errorf("%s: %w", pattern, err)
				}
				return nil
			})
		case "clouds":
			return eachKey(value, func(name string, value json.RawMessage) error {
				cloud, err := parseCloud(name, value)
				f.clouds = append(f.clouds, cloud)
				return err
			})
		case "delegate":
			f.delegate, err = parseDelegate(value)
			return err
		}
		return fmt.Errorf("unknown key %q", key)
	})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends in the middle of the JSON object")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(content, new(any))); ok && err != nil {
		err = fmt.Errorf("line %d: %w", 1+bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n")), err)
	}
	if err != nil {
		err = f.wrong(err)
	}
	return f, err
}

// parseDelegate parses the name of a helper, which becomes part of a program's name.
func parseDelegate(content []byte) (name string, err error) {
	switch err := json.Unmarshal(content, &name); {
	case err != nil:
		return "", errors.New("delegate must be a string")
	case name == "" || !text.Only(name, text.Lower+text.Digits+"-"):
		return "", fmt.Errorf("delegate %q must be a helper without its prefix: \"desktop\" for docker-credential-desktop", name)
	case name == "acr":
		return "", errors.New("delegate can't be \"acr\": that is this program; remove it to store other registries' logins here")
	}
	return name, nil
}

// parseCloud parses one of the clouds.
func parseCloud(name string, content []byte) (registry.Cloud, error) {
	var authority, audience, azureCLI string
	fields := map[string]*string{"authority": &authority, "audience": &audience, "azureCLI": &azureCLI}
	if err := eachString(content, fields); err != nil {
		return registry.Cloud{}, fmt.Errorf("%s: %w", name, err)
	}
	if audience != "" && !isAudience(audience) {
		return registry.Cloud{}, fmt.Errorf("%s: audience %q is not of the form https://HOST", name, audience)
	}
	return registry.NewCloud(name, authority, azureCLI, audience)
}

// eachString parses a JSON object whose values are strings.
func eachString(content []byte, fields map[string]*string) error {
	return eachKey(content, func(key string, value json.RawMessage) error {
		field, ok := fields[key]
		if !ok {
			return fmt.Errorf("unknown key %q", key)
		}
		if json.Unmarshal(value, field) != nil {
			return fmt.Errorf("%s must be a string", key)
		}
		return nil
	})
}

// eachKey parses a JSON object strictly: a key must not appear twice, differ in case, or
// be followed by anything else. encoding/json allows all three; encoding/json/v2 will
// not, but is still an experiment in Go 1.26.
func eachKey(content []byte, visit func(key string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return cmp.Or(err, errors.New("it must be a JSON object"))
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key := token.(string) // nothing else can be a key
		if seen[key] {
			return fmt.Errorf("%q appears twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if err := visit(key, value); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is something after the end of the JSON object")
	}
	return nil
}
