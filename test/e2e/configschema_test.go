package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
)

// TestConfigSchema proves that docs/config.schema.json accepts a config file exactly if the program does.
func TestConfigSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	const guid = "7d1c0000-0000-4000-8000-00000000abcd"
	values := map[string]string{
		"tenant": "contoso.com", "audience": "https://acr.contoso.local", "clientId": guid, "objectId": guid,
		"resourceId":  "/subscriptions/" + guid + "/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n",
		"certificate": "/cert.pem", "tokenFile": "/token", "tokenVariable": "TOKEN", "managedIdentity": guid,
		"serviceConnection": guid, "subscription": "contoso", "unknown": "x",
	}
	kinds := []string{
		"", "anonymous", "azd", "azure-cli", "azure-pipelines", "azure-powershell", "federated-token", "github-actions",
		"managed-identity", "service-principal", "user", "workload-identity", "system-assigned",
	}
	entry := func(kind string, keys ...string) string {
		fields := map[string]string{}
		if kind != "" {
			fields["identity"] = kind
		}
		for _, key := range keys {
			fields[key] = values[key]
		}
		content, err := json.Marshal(map[string]any{"registries": map[string]any{"contoso.azurecr.io": fields}})
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	var files []string
	for _, kind := range kinds {
		files = append(files, entry(kind))
		for first := range values {
			files = append(files, entry(kind, first), entry(kind, first, "clientId"), entry(kind, first, "tokenFile"))
		}
	}
	files = append(files, `{}`, `[]`, `{"registry":{}}`, `{"$schema":"x"}`, `{"registries":{"contoso.azurecr.io":null}}`,
		`{"registries":{"*.azurecr.io":{"identity":"azd"}}}`, `{"registries":{"*":{}}}`, `{"registries":{"Contoso.azurecr.io":{}}}`,
		`{"registries":{"contoso.azurecr.io":{"identity":"user","clientId":"azure-cli"}}}`,
		`{"registries":{"contoso.azurecr.io":{"identity":"workload-identity","clientId":"azure-cli"}}}`,
		`{"registries":{"contoso.azurecr.io":{"identity":"workload-identity","clientId":"x"}}}`,
		`{"registries":{"contoso.azurecr.io":{"audience":"http://x.y"}}}`, `{"registries":{"contoso.azurecr.io":{"identity":7}}}`,
		`{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com"}}}`,
		`{"clouds":{"*.contoso.com":{"authority":"https://login.contoso.com/","audience":"https://x.y","azureCLI":"AzureCloud"}}}`,
		`{"clouds":{"x.contoso.com":{"authority":"login.contoso.com","openidConfiguration":false}}}`,
		`{"clouds":{"x.contoso.com":{"authority":"login.contoso.com","openidConfiguration":"false"}}}`,
		`{"clouds":{"x.contoso.com":{"authority":"login.contoso.com","openidConfiguration":null}}}`,
		`{"clouds":{"registry.contoso.com":{}}}`, `{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com","suffix":"x"}}}`,
		`{"clouds":{"registry.contoso.com":{"authority":"http://login.contoso.com"}}}`,
		`{"clouds":{"contoso":{"authority":"login.contoso.com"}}}`, `{"clouds":{"*.contoso.com":{"authority":"x.y","audience":"x"}}}`,
		`{"keyring":"auto"}`, `{"keyring":"os"}`, `{"keyring":"kernel"}`, `{"keyring":"file"}`, `{"keyring":"none"}`,
		`{"keyring":"paper"}`, `{"keyring":""}`, `{"keyring":null}`, `{"keyring":["file"]}`,
		`{"delegate":"desktop"}`, `{"delegate":"acr"}`, `{"delegate":"docker-credential-pass"}`, `{"delegate":"acrx"}`,
		`{"delegate":"a b"}`, `{"delegate":7}`, `{"delegate":""}`,
	)
	for _, b := range codeBlocks(t, "docs/configuration.md") {
		if b.language == "json" {
			files = append(files, b.text)
		}
	}
	accepted := 0
	for i, content := range files {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(content))
		if err != nil {
			t.Fatalf("%s: %v", content, err)
		}
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		program, schema := config.Check(path), schema.Validate(document)
		if (len(program) == 0) != (schema == nil) {
			t.Errorf("%s\nprogram: %v\nschema: %v", content, program, schema)
		}
		if len(program) == 0 {
			accepted++
		}
	}
	if accepted < 30 || accepted > len(files)-100 {
		t.Errorf("%d of %d files are accepted", accepted, len(files))
	}
}
