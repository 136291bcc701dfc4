package kubelet

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

const (
	clientID   = "7d1c0000-0000-4000-8000-00000000abcd"
	tenantID   = "11111111-2222-3333-4444-555555555555"
	resourceID = "/subscriptions/" + tenantID + "/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet"
)

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "azure.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func noVariables(string) string { return "" }

func TestReadAzureJSON(t *testing.T) {
	for _, row := range []struct {
		name, content string
		want          func(AzureJSON) bool
	}{
		{
			"AKS with a managed identity", `{"cloud":"AzurePublicCloud","tenantId":"` + tenantID + `","aadClientId":"msi","aadClientSecret":"msi",
			"useManagedIdentityExtension":true,"userAssignedIdentityID":"` + clientID + `","cloudProviderBackoffJitter":1.5,"excludeMasterFromStandardLB":null}`,
			func(a AzureJSON) bool {
				return a.UseManagedIdentity && a.ManagedClientID() == clientID && a.ResourceID() == "" && a.ClientID == "" && a.Secret.IsZero()
			},
		},
		{
			"a resource ID", `{"useManagedIdentityExtension":true,"userAssignedIdentityID":"` + resourceID + `"}`,
			func(a AzureJSON) bool { return a.ResourceID() == resourceID && a.ManagedClientID() == "" },
		},
		{
			"YAML, a byte order mark, names in another case", "\ufeffTENANTID: " + tenantID + "\nAadClientID: " + clientID + "\naadclientsecret: 's3cret'\n",
			func(a AzureJSON) bool {
				return a.Tenant == tenantID && a.ClientID == clientID && a.Secret.Reveal() == "s3cret"
			},
		},
		{"a bool of YAML", "useManagedIdentityExtension: True", func(a AzureJSON) bool { return a.UseManagedIdentity }},
		{"empty", "", func(a AzureJSON) bool {
			return a.Cloud.Suffix == "azurecr.io" && a.ClientID == "" && !a.UseManagedIdentity
		}},
		{"null", "null", func(a AzureJSON) bool { return a.ClientID == "" }},
		{"no fields", "{}", func(a AzureJSON) bool { return a.ClientID == "" }},
		{"a cloud in another case", "cloud: azurechinacloud", func(a AzureJSON) bool { return a.Cloud.Suffix == "azurecr.cn" }},
		{"the other name of a cloud", "cloud: AzureUSGovernmentCloud", func(a AzureJSON) bool { return a.Cloud.Suffix == "azurecr.us" }},
		{"Azure Stack", "cloud: AzureStackCloud", func(a AzureJSON) bool { return a.IsStack && a.Cloud.Authority == "" }},
		{
			"a certificate", `{"tenantId":"` + tenantID + `","aadClientId":"` + clientID + `","aadClientCertPath":"/c.pfx","aadClientCertPassword":"p"}`,
			func(a AzureJSON) bool { return a.Certificate == "/c.pfx" && a.CertificatePassword.Reveal() == "p" },
		},
		{"another identity", `{"aadMSIDataPlaneIdentityPath":"/x"}`, func(a AzureJSON) bool { return a.OtherIdentity == "aadMSIDataPlaneIdentityPath" }},
	} {
		a, err := ReadAzureJSON(write(t, row.content, 0o600), noVariables)
		if err != nil || !row.want(a) {
			t.Errorf("%s: %+v, %v", row.name, a, err)
		}
	}
}

func TestReadAzureJSON_refuses(t *testing.T) {
	for _, row := range []struct{ name, content, want string }{
		{"half a file", `{"tenantId":"s3cret`, "it is neither JSON nor YAML"},
		{"a list", `["s3cret"]`, "it is not a list of fields"},
		{"text", `s3cret`, "it is not a list of fields"},
		{"a name twice", `{"tenantId":"` + tenantID + `","tenantID":"s3cret"}`, "tenantid appears twice"},
		{"a text for a bool", `{"useManagedIdentityExtension":"true"}`, "must be true or false, without quotes"},
		{"a number for a text", `{"aadClientSecret":4711}`, "aadClientSecret must be a string"},
		{"an unknown cloud", `{"cloud":"AzurePublikCloud"}`, `cloud "AzurePublikCloud" is not known`},
		{"a tenant that is none", `{"tenantId":"common"}`, "tenantId is neither a GUID nor a domain"},
		{"an identity that is none", `{"useManagedIdentityExtension":true,"userAssignedIdentityID":"kubelet"}`, "userAssignedIdentityID is neither"},
		{"a secret without its application", `{"aadClientId":"msi","aadClientSecret":"s3cret"}`, "aadClientId is not set"},
		{"an application without tenant", `{"aadClientId":"` + clientID + `","aadClientSecret":"s3cret"}`, "tenantId is not set"},
		{"a name for an application", `{"tenantId":"` + tenantID + `","aadClientId":"kubelet"}`, "aadClientId is not a GUID"},
		{"ADFS", `{"identitySystem":"ADFS"}`, "identitySystem is adfs, which is not supported"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "it is UTF-16 text; save it as UTF-8"},
		{"a megabyte", strings.Repeat("#", 1<<20+1), "it is too long"},
	} {
		path := write(t, row.content, 0o600)
		_, err := ReadAzureJSON(path, noVariables)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), row.want) ||
			strings.Contains(err.Error(), "s3cret") || fault.CodeOf(err) != fault.AzureJSON {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func TestReadAzureJSON_trust(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	if _, err := ReadAzureJSON(missing, noVariables); err == nil || err.Error() != missing+": the file does not exist" {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("modes are Unix'")
	}
	for mode, code := range map[os.FileMode]fault.Code{
		0o600: "", 0o640: "", 0o644: "", 0o620: fault.AzureJSONUntrusted, 0o666: fault.AzureJSONUntrusted,
	} {
		_, err := ReadAzureJSON(write(t, "{}", mode), noVariables)
		if fault.CodeOf(err) != code {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestReadAzureJSON_Azure_Stack(t *testing.T) {
	environment := write(t, `{"name":"AzureStackCloud","activeDirectoryEndpoint":"https://login.corp.example/",
		"containerRegistryDNSSuffix":".azurecr.corp.example"}`, 0o600)
	for _, row := range []struct{ name, variable, content, want string }{
		{"described", environment, "cloud: AzureStackCloud", "azurecr.corp.example login.corp.example"},
		{"not Azure Stack", environment, "cloud: AzureCloud", "azurecr.io login.microsoftonline.com"},
		{"a relative path", "azure.json", "cloud: AzureStackCloud", "AZURE_ENVIRONMENT_FILEPATH is not an absolute path"},
		{"no file", environment + ".none", "cloud: AzureStackCloud", environment + ".none (from AZURE_ENVIRONMENT_FILEPATH)"},
		{
			"a built-in cloud", write(t, "activeDirectoryEndpoint: https://evil.example\ncontainerRegistryDNSSuffix: azurecr.io", 0o600),
			"cloud: AzureStackCloud", "can't be redefined",
		},
		{
			"ADFS", write(t, "activeDirectoryEndpoint: https://adfs.corp.example/adfs\ncontainerRegistryDNSSuffix: acr.corp.example", 0o600),
			"cloud: AzureStackCloud", "authority is required, in the form https://HOST",
		},
	} {
		getenv := func(name string) string {
			if name == "AZURE_ENVIRONMENT_FILEPATH" {
				return row.variable
			}
			return ""
		}
		a, err := ReadAzureJSON(write(t, row.content, 0o600), getenv)
		got := a.Cloud.Suffix + " " + a.Cloud.Authority
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
