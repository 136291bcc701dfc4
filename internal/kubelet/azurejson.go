package kubelet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// An AzureJSON is what the file of that name says about a node's identity. AKS and Cluster
// API write it to /etc/kubernetes/azure.json, OpenShift as cloud.conf. It has some forty
// fields; the others don't concern registries. (cloud-provider-azure, pkg/azclient.)
type AzureJSON struct {
	// Path is the file. Untrusted says who could have written it, on Windows, where that is
	// not an error; nil for the right users only.
	Path      string
	Untrusted error
	// Cloud is one of the clouds that the file can name: that of the registries whose names
	// end with its suffix. It has no suffix where it is Azure Stack and nothing more is
	// known.
	Cloud registry.Cloud
	// IsStack says that the cloud is Azure Stack.
	IsStack bool
	// Tenant is the cluster's tenant, a GUID or a domain; "" for unknown.
	Tenant string
	// UseManagedIdentity says that the node has a managed identity: UserAssignedIdentity is
	// its client or resource ID, "" for the node's only one.
	UseManagedIdentity   bool
	UserAssignedIdentity string
	// UseTokenFile says that the node is a workload identity with the token in TokenFile.
	UseTokenFile bool
	TokenFile    string
	// ClientID is the application of a token file, secret or certificate, "" for none.
	// Placeholders that some installers write there count as none.
	ClientID            string
	Secret              secret.String
	Certificate         string
	CertificatePassword secret.String
	// OtherIdentity is the name of a field that selects an identity which this program
	// doesn't support; "" for none.
	OtherIdentity string
}

// maxAzureJSON is far above the file, which has 2 to 4 KB.
const maxAzureJSON = 1 << 20

// suffixes are the clouds that the file can name, in lower case, by the suffix of their
// registries. (cloud-provider-azure, pkg/azclient/cloud.go.)
var suffixes = map[string]string{
	"": "azurecr.io", "azurepubliccloud": "azurecr.io", "azurecloud": "azurecr.io",
	"azurechinacloud": "azurecr.cn", "azureusgovernment": "azurecr.us", "azureusgovernmentcloud": "azurecr.us",
	"azuregermancloud": "azurecr.de",
}

// stackCloud is how the file calls Azure Stack, in lower case.
const stackCloud = "azurestackcloud"

// environmentVar names the file that describes an Azure Stack.
const environmentVar = "AZURE_ENVIRONMENT_FILEPATH"

// ReadAzureJSON reads azure.json, in JSON or YAML. Field names may be in any case, as
// Kubernetes' own parser allows, and unknown fields are skipped. A file that another user
// could have written is refused: it decides who signs in. (On Windows it is only marked,
// because the access list of a real node's file is not known.) Errors quote no values.
func ReadAzureJSON(path string, getenv func(string) string) (AzureJSON, error) {
	f, err := readFields(path)
	var a AzureJSON
	if err == nil {
		a, err = f.azureJSON(getenv)
	}
	if err == nil {
		a.Path, a.Untrusted = path, f.untrusted
		return a, nil
	}
	e := &fault.Error{Code: fault.AzureJSON, Object: text.Quote(path), Cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errors.New("the file does not exist")
	case errors.Is(err, safefile.ErrUntrusted):
		e.Code = fault.AzureJSONUntrusted
	}
	e.Reason = fmt.Sprintf("%s: %v", text.Line(path), err)
	return AzureJSON{}, e
}

// azureJSON returns what the fields say.
func (f *fields) azureJSON(getenv func(string) string) (AzureJSON, error) {
	a := AzureJSON{
		Tenant:             f.text("tenantId"),
		UseManagedIdentity: f.isOn("useManagedIdentityExtension"), UserAssignedIdentity: f.text("userAssignedIdentityID"),
		UseTokenFile: f.isOn("useFederatedWorkloadIdentityExtension"), TokenFile: f.text("aadFederatedTokenFile"),
		ClientID: f.identity("aadClientId"), Secret: secret.New(f.identity("aadClientSecret")),
		Certificate: f.text("aadClientCertPath"), CertificatePassword: secret.New(f.text("aadClientCertPassword")),
	}
	if f.text("aadMSIDataPlaneIdentityPath") != "" {
		a.OtherIdentity = "aadMSIDataPlaneIdentityPath"
	}
	if strings.EqualFold(f.text("identitySystem"), "adfs") && f.err == nil {
		f.err = errors.New("identitySystem is adfs, which is not supported")
	}
	cloud := f.text("cloud")
	if f.err == nil {
		f.err = a.setCloud(cloud, getenv)
	}
	if f.err == nil {
		f.err = a.validate()
	}
	return a, f.err
}

// setCloud finds the cloud that the file names. acr-credential-provider takes an unknown name
// for the public cloud, and then sends the secret there.
func (a *AzureJSON) setCloud(name string, getenv func(string) string) error {
	if suffix, ok := suffixes[strings.ToLower(name)]; ok {
		host, err := registry.ParseHost("x." + suffix)
		a.Cloud = host.Cloud()
		return err
	}
	if !strings.EqualFold(name, stackCloud) {
		return fmt.Errorf("cloud %q is not known", text.Line(name))
	}
	a.IsStack = true
	path := getenv(environmentVar)
	if path == "" {
		return nil
	}
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", environmentVar)
	}
	f, err := readFields(path)
	if err != nil {
		return fmt.Errorf("%s (from %s): %v", text.Line(path), environmentVar, err)
	}
	suffix := strings.TrimPrefix(f.text("containerRegistryDNSSuffix"), ".")
	cloud, err := registry.NewCloud("*."+suffix, f.text("activeDirectoryEndpoint"), "AzureStackCloud", "")
	if err != nil {
		return fmt.Errorf("%s (from %s): %v", text.Line(path), environmentVar, err)
	}
	a.Cloud = cloud
	return nil
}

// isResourceID reports whether a managed identity is named by its resource ID.
func isResourceID(id string) bool { return strings.Contains(strings.ToLower(id), "/subscriptions/") }

// ResourceID returns the resource ID of the node's managed identity, ManagedClientID its
// client ID; "" where the file names it in the other way, or not at all.
func (a AzureJSON) ResourceID() string {
	if isResourceID(a.UserAssignedIdentity) {
		return a.UserAssignedIdentity
	}
	return ""
}

// ManagedClientID is described with ResourceID.
func (a AzureJSON) ManagedClientID() string {
	if isResourceID(a.UserAssignedIdentity) {
		return ""
	}
	return a.UserAssignedIdentity
}

// validate refuses what can't be meant.
func (a AzureJSON) validate() error {
	switch {
	case a.Tenant != "" && !text.IsTenant(a.Tenant):
		return errors.New("tenantId is neither a GUID nor a domain")
	case a.UseManagedIdentity && a.ManagedClientID() != "" && !text.IsGUID(a.ManagedClientID()):
		return errors.New("userAssignedIdentityID is neither a client ID (a GUID) nor a resource ID")
	case a.UseManagedIdentity || a.OtherIdentity != "" && a.ClientID == "":
		return nil
	case a.ClientID != "" && !text.IsGUID(a.ClientID):
		return errors.New("aadClientId is not a GUID")
	case a.ClientID == "" && (a.UseTokenFile || !a.Secret.IsZero() || a.Certificate != ""):
		return errors.New("aadClientId is not set")
	case a.ClientID != "" && a.Tenant == "":
		return errors.New("tenantId is not set")
	}
	return nil
}

// fields are the values of a file, by their names in lower case.
type fields struct {
	values    map[string]any
	err       error // the first value of a wrong type
	untrusted error // of the file, on Windows
}

// readFields reads a file of fields. An empty file has none.
func readFields(path string) (*fields, error) {
	f := &fields{values: map[string]any{}}
	content, err := safefile.ReadTrusted(path, maxAzureJSON)
	if errors.Is(err, safefile.ErrUntrusted) && runtime.GOOS == "windows" {
		f.untrusted = err
		content, err = safefile.Read(path, maxAzureJSON)
	}
	if err == nil {
		content, err = safefile.Text(content)
	}
	if err != nil {
		return nil, err
	}
	content = bytes.TrimSpace(content)
	var document any
	if bytes.HasPrefix(content, []byte("{")) {
		err = json.Unmarshal(content, &document)
	} else {
		err = yaml.Unmarshal(content, &document)
	}
	if err != nil {
		return nil, errors.New("it is neither JSON nor YAML") // the parser's error may quote a value
	}
	object, ok := document.(map[string]any)
	if !ok && document != nil {
		return nil, errors.New("it is not a list of fields")
	}
	for name, value := range object {
		lower := strings.ToLower(name)
		if _, ok := f.values[lower]; ok {
			return nil, fmt.Errorf("%s appears twice", text.Line(lower))
		}
		f.values[lower] = value
	}
	return f, nil
}

// valueOf returns a field's value; the zero value of its type for none. A value of another
// type is a mistake.
func valueOf[T any](f *fields, name, what string) (value T) {
	raw := f.values[strings.ToLower(name)]
	value, ok := raw.(T)
	if !ok && raw != nil && f.err == nil {
		f.err = fmt.Errorf("%s must be %s", name, what)
	}
	return value
}

func (f *fields) text(name string) string { return valueOf[string](f, name, "a string") }

func (f *fields) isOn(name string) bool {
	return valueOf[bool](f, name, "true or false, without quotes")
}

// identity returns the value of a field in which installers write msi where the node has a
// managed identity.
func (f *fields) identity(name string) string {
	if value := f.text(name); !strings.EqualFold(value, "msi") {
		return value
	}
	return ""
}
