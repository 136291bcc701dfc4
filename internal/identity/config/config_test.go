package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entries is a config file with these entries.
func entries(list string) string { return `{"registries":{` + list + `}}` }

func TestConfigFilesThatAreRefused(t *testing.T) {
	for _, row := range []struct{ content, says string }{
		{`{"registry":{}}`, `unknown field "registry"`},
		{entries(`"contoso.azurecr.io":{"identity":"azure-cli","secret":"y"}`), `unknown field "secret"`},
		{entries(`"contoso.azurecr.io":{"identity":"managedIdentity"}`), `no identity "managedIdentity"; there are anonymous, azd, azure-cli, `},
		{entries(`"contoso.azurecr.io":{"identity":"service-principal"}`), "needs a GUID"},
		{entries(`"contoso.azurecr.io":{"identity":"azure-cli","clientId":"x"}`), "clientId is of no use to azure-cli"},
		{entries(`"contoso.azurecr.io":{"identity":"user"}`), "a user needs the application to sign in to"},
		{entries(`"contoso.azurecr.io":{"identity":"user","clientId":"azure"}`), `clientId "azure" is not a GUID`},
		{entries(`"contoso.azurecr.io":{"identity":"managed-identity","clientId":"7d1c0000-0000-4000-8000-00000000abcd","objectId":"7d1c0000-0000-4000-8000-00000000abcd"}`), "one of clientId, objectId"},
		{entries(`"contoso.azurecr.io":{"identity":"managed-identity","objectId":"x"}`), `objectId "x"`},
		{entries(`"contoso.azurecr.io":{"identity":"managed-identity","resourceId":"/subscriptions/x"}`), "resourceId"},
		{entries(`"contoso.azurecr.io":{"identity":"federated-token","tokenFile":"t","tokenVariable":"T"}`), "one of tokenFile"},
		{entries(`"contoso.azurecr.io":{"identity":"federated-token","tokenFile":"t"}`), `tokenFile "t" is not an absolute path`},
		{entries(`"contoso.azurecr.io":{"identity":"federated-token","tokenVariable":"A B"}`), `tokenVariable "A B"`},
		{entries(`"contoso.azurecr.io":{"tokenFile":"/t"}`), "tokenFile is of no use to an entry without identity"},
		{`{"clouds":{"*.azurecr.io":{"authority":"login.contoso.com"}}}`, "can't be redefined"},
		{`{"clouds":{"registry.contoso.com":{}}}`, "authority is not of the form"},
		{`{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com","audience":"x"}}}`, `audience "x"`},
		{`{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com","suffix":"x"}}}`, `unknown field "suffix"`},
		{entries(`"registry.contoso.com":{}`), `"registry.contoso.com" names no`},
		{entries(`"contoso.azurecr.io":{"tenant":"common"}`), `tenant "common"`},
		{entries(`"contoso.azurecr.io":{"tenant":"a b.c"}`), `tenant "a b.c"`},
		{entries(`"contoso.azurecr.io":{"audience":"http://x"}`), `audience "http://x"`},
		{entries(`"contoso.azurecr.io":{"audience":"https://x y"}`), `audience`},
		{entries(`"*":{}`), `"*" names no Azure container registry`},
		{entries(`"*.io":{}`), `"*.io" names no Azure container registry`},
		{entries(`"Contoso.azurecr.io":{}`), `"Contoso.azurecr.io" names no`},
		{`{} {}`, "behind the end"},
		{`{"registries":{}}}`, "behind the end"},
		{entries(`"contoso.azurecr.io":{},"contoso.azurecr.io":{}`), `"contoso.azurecr.io" stands twice`},
		{`{"registries":{},"registries":{}}`, `"registries" stands twice`},
		{entries(`"a.b.azurecr.io":{}`), `"a.b.azurecr.io" names no`},
		{``, "it is empty"},
		{strings.Repeat(" ", 2<<20), "not a regular file of at most"},
		{`[]`, "something else where a JSON object should be"},
		{`null`, "something else where a JSON object should be"},
		{entries(`"contoso.azurecr.io":null`), "something else where a JSON object should be"},
		{entries(`"contoso.azurecr.io":{"identity":7}`), "identity is not a string"},
		{entries(`"contoso.azurecr.io":{"Identity":"azure-cli"}`), `unknown field "Identity"`},
		{entries(`"contoso.azurecr.io":{"identity":"azure-cli","identity":"anonymous"}`), `"identity" stands twice`},
		{`{"registries":`, "ends in the middle"},
		{`{"delegate":7}`, "delegate is not a string"},
		{`{"delegate":["desktop"]}`, "delegate is not a string"},
		{`{"delegate":""}`, `delegate "" is not the name of a credential helper`},
		{`{"delegate":null}`, `delegate "" is not the name of a credential helper`},
		{`{"delegate":"docker/credential"}`, `delegate "docker/credential" is not the name of a credential helper`},
		{`{"delegate":"../x"}`, `delegate "../x" is not the name`},
		{`{"delegate":"Desktop"}`, `delegate "Desktop" is not the name`},
		{`{"delegate":"a b"}`, `delegate "a b" is not the name`},
		{`{"delegate":"acr"}`, "delegate acr is this very program"},
		{`{"delegate":"desktop","delegate":"pass"}`, `"delegate" stands twice`},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(row.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Files{User: path}.Clouds()
		if err == nil || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", row.content, err)
		}
	}
}

func TestDelegate(t *testing.T) {
	for _, row := range []struct{ user, machine, want string }{
		{`{}`, `{}`, ""},
		{`{"delegate":"desktop"}`, `{}`, "desktop"},
		{`{"registries":{}}`, `{"delegate":"ecr-login"}`, "ecr-login"},
		{`{"delegate":"pass"}`, `{"delegate":"desktop"}`, "pass"},
		{`{"x":"pass"}`, `{}`, ""},
		{`{"delegate":"pass","x":""}`, `{}`, "error"},
		{`{"x":""}`, `{"delegate":"desktop"}`, "error"},
	} {
		dir := t.TempDir()
		files := Files{User: filepath.Join(dir, "user"), Machine: filepath.Join(dir, "machine")}
		for path, content := range map[string]string{files.User: row.user, files.Machine: row.machine} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := files.Delegate()
		if err != nil {
			got = "error"
		}
		if got != row.want {
			t.Errorf("%s, %s: %q, %v", row.user, row.machine, got, err)
		}
	}
}
