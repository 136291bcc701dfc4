package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

const (
	guid       = "7d1c0000-0000-4000-8000-00000000abcd"
	managed    = `"identity":"managed-identity","resourceId":`
	identities = "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/name"
)

// entries is a config file with these entries.
func entries(list string) string { return `{"registries":{` + list + `}}` }

// contoso is a config file with one entry of these fields.
func contoso(fields string) string { return entries(`"contoso.azurecr.io":{` + fields + `}`) }

// write writes the user's and the machine's config file; "" for none.
func write(t *testing.T, user, machine string) (userPath, machinePath string) {
	t.Helper()
	dir := t.TempDir()
	userPath, machinePath = filepath.Join(dir, "user.json"), filepath.Join(dir, "machine.json")
	for path, content := range map[string]string{userPath: user, machinePath: machine} {
		if content == "" {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return userPath, machinePath
}

func parseHost(t *testing.T, host string) registry.Host {
	t.Helper()
	h, err := registry.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLoad(t *testing.T) {
	const cloud = `{"clouds":{"*.azurecr.contoso.local":{"authority":"login.contoso.local"}}}`
	for _, row := range []struct{ what, user, machine string }{
		{"no files", "", ""},
		{"byte order mark", "\ufeff" + contoso(`"identity":"azure-cli"`), ""},
		{"resource ID", contoso(managed + `"/subscriptions/` + guid + identities + `"`), ""},
		{"entry for a cloud of the other file", entries(`"*.azurecr.contoso.local":{"identity":"azd"}`), cloud},
	} {
		user, machine := write(t, row.user, row.machine)
		if err := Load(user, machine).Err(); err != nil {
			t.Errorf("%s: %v", row.what, err)
		}
	}
	file, _ := write(t, "{}", "")
	if c := Load("", filepath.Join(file, "config.json")); c.Err() != nil || c.Paths() != nil { // file isn't a directory
		t.Errorf("%v, %v", c.Paths(), c.Err())
	}
}

func TestLoad_refuses(t *testing.T) {
	for _, row := range []struct{ content, says string }{
		{"\xff\xfe{\x00}\x00", "it is UTF-16 text; save it as UTF-8"},
		{`{"registry":{}}`, `unknown key "registry"`},
		{contoso(`"identity":"azure-cli","secret":"y"`), `unknown key "secret"`},
		{contoso(`"identity":"managedIdentity"`), `unknown identity "managedIdentity"; use one of: anonymous, azd, azure-cli, `},
		{contoso(`"identity":"service-principal"`), "needs clientId (a GUID)"},
		{contoso(`"identity":"azure-cli","clientId":"x"`), "clientId does not apply to azure-cli"},
		{contoso(`"identity":"user"`), "identity user needs clientId"},
		{contoso(`"identity":"user","clientId":"azure"`), `clientId "azure" is not a GUID`},
		{
			contoso(`"identity":"managed-identity","clientId":"` + guid + `","objectId":"` + guid + `"`),
			"set only one of clientId, objectId and resourceId",
		},
		{contoso(`"identity":"managed-identity","objectId":"x"`), `objectId "x"`},
		{contoso(managed + `"/subscriptions/x"`), "resourceId"},
		{contoso(managed + `"/subscriptions/x` + identities + `"`), "resourceId"},
		{contoso(managed + `"x/subscriptions/` + guid + identities + `"`), "resourceId"},
		{contoso(managed + `"/subscription/` + guid + identities + `"`), "resourceId"},
		{contoso(managed + `"/subscriptions/` + guid + identities + `?x"`), "resourceId"},
		{contoso(managed + `"/subscriptions/` + guid + identities + `\u001b"`), "resourceId"},
		{contoso(`"identity":"federated-token","tokenFile":"t","tokenVariable":"T"`), "one of tokenFile"},
		{contoso(`"identity":"federated-token","tokenFile":"t"`), `tokenFile "t" is not an absolute path`},
		{contoso(`"identity":"federated-token","tokenVariable":"A B"`), `tokenVariable "A B"`},
		{contoso(`"tokenFile":"/t"`), "tokenFile does not apply to an entry without identity"},
		{`{"clouds":{"*.azurecr.io":{"authority":"login.contoso.com"}}}`, "can't be redefined"},
		{`{"clouds":{"registry.contoso.com":{}}}`, "authority is required, in the form"},
		{`{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com","audience":"x"}}}`, `audience "x"`},
		{`{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com","suffix":"x"}}}`, `unknown key "suffix"`},
		{
			`{"clouds":{"registry.contoso.com":{"authority":"login.contoso.com","openidConfiguration":"no"}}}`,
			"registry.contoso.com: openidConfiguration must be true or false",
		},
		{`{"clouds":{"registry.contoso.com":{"authority":null}}}`, "registry.contoso.com: authority must be a string"},
		{entries(`"registry.contoso.com":{}`), `"registry.contoso.com" is not an`},
		{contoso(`"tenant":"common"`), `tenant "common"`},
		{contoso(`"tenant":"a b.c"`), `tenant "a b.c"`},
		{contoso(`"audience":"http://x"`), `audience "http://x"`},
		{contoso(`"audience":"https://x y"`), `audience`},
		{entries(`"*":{}`), `"*" is not an Azure container registry`},
		{entries(`"*.io":{}`), `"*.io" is not an Azure container registry`},
		{entries(`"Contoso.azurecr.io":{}`), `"Contoso.azurecr.io" is not an`},
		{`{} {}`, "after the end"},
		{`{"registries":{}}}`, "after the end"},
		{entries(`"contoso.azurecr.io":{},"contoso.azurecr.io":{}`), `"contoso.azurecr.io" appears twice`},
		{`{"registries":{},"registries":{}}`, `"registries" appears twice`},
		{entries(`"a.b.azurecr.io":{}`), `"a.b.azurecr.io" is not an`},
		{strings.Repeat(" ", 2<<20), "too long (more than"},
		{`[]`, "it must be a JSON object"},
		{`null`, "it must be a JSON object"},
		{entries(`"contoso.azurecr.io":null`), "it must be a JSON object"},
		{contoso(`"identity":7`), "identity must be a string"},
		{contoso(`"Identity":"azure-cli"`), `unknown key "Identity"`},
		{contoso(`"identity":"azure-cli","identity":"anonymous"`), `"identity" appears twice`},
		{`{"registries":`, "ends in the middle"},
		{"{\n\n  \"registries\": }", "there is no JSON value here (line 3, column 17)"},
		{"{ // why\n}", "JSON has no comments (line 1, column 3)"},
		{"# why\n{}", "JSON has no comments (line 1, column 1)"},
		{`{'registries': {}}`, "JSON needs double quotes (line 1, column 2)"},
		{`{registries: {}}`, "a key must be in double quotes (line 1, column 2)"},
		{"{\"keyring\": \"file\n}", "a string has no closing quote on its line"},
		{`{"keyring": "file" "delegate": "pass"}`, "there is no comma before this (line 1, column 20)"},
		{`{"keyring" "file"}`, "there is no colon before this (line 1, column 12)"},
		{`{"keyring": file}`, "text must be in double quotes"},
		{`{"keyring": True}`, "there is no JSON value here"},
		{`{"registries": ["a",]}`, "there is a comma before this ]"},
		{"{\n \"clouds\": {},\n}", "there is a comma before this } (line 3, column 1)"},
		{contoso(`"identiy":"azd"`), `unknown key "identiy"; did you mean identity? (line 1, column 38)`},
		{contoso(`"identity":"managedIdentity"`), `did you mean managed-identity? (line 1, column 49)`},
		{contoso(`"identity":"az"`), `use one of: anonymous, azd, `},
		{`{"é":1,"registry":{}}`, `unknown key "é" (line 1, column 2)`},
		{`{"regsitries":{}}`, `did you mean registries?`},
		{contoso(`"identiy":"azd"`), `contoso.azurecr.io: unknown key "identiy"`},
		{`{"delegate":7}`, "delegate must be a string"},
		{`{"delegate":["desktop"]}`, "delegate must be a string"},
		{`{"delegate":""}`, `delegate "" must be a helper`},
		{`{"delegate":null}`, `delegate "" must be a helper`},
		{`{"delegate":"docker/credential"}`, `delegate "docker/credential" must be a helper`},
		{`{"delegate":"../x"}`, `delegate "../x" must be a helper`},
		{`{"delegate":"Desktop"}`, `delegate "Desktop" must be a helper`},
		{`{"delegate":"a b"}`, `delegate "a b" must be a helper`},
		{`{"delegate":"acr"}`, `delegate can't be "acr"`},
		{`{"delegate":"docker-credential-desktop"}`, `"docker-credential-desktop" must be a helper without its prefix`},
		{`{"delegate":"desktop","delegate":"pass"}`, `"delegate" appears twice`},
		{" ", "it is empty"},
	} {
		path, _ := write(t, row.content, "")
		c := Load(path, "")
		if len(c.Problems()) == 0 {
			t.Fatalf("%s: no problem", row.content)
		}
		err := c.Problems()[0].Err()
		if !fault.Is(err, fault.Config) || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", row.content, err)
		}
		if e, err := c.Entry(parseHost(t, "contoso.azurecr.io")); err == nil || e != (Entry{}) {
			t.Errorf("%s: %+v", row.content, e)
		}
	}
}

func TestLoad_refuses_file_that_others_can_write(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead of modes")
	}
	for content, delegateErr := range map[string]bool{
		contoso(`"identity":"azure-cli"`): false, // doesn't concern other registries
		`{"delegate":"desktop"}`:          true,
	} {
		path, _ := write(t, content, "")
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
		c := Load("", path)
		name, err := c.Delegate()
		if fault.CodeOf(c.Err()) != fault.ConfigUntrusted || name != "" || (err != nil) != delegateErr {
			t.Errorf("%s: %v; delegate %q, %v", content, c.Err(), name, err)
		}
	}
}

func TestConfig_Delegate(t *testing.T) {
	for _, row := range []struct{ user, machine, want string }{
		{`{}`, `{}`, ""},
		{`{"delegate":"desktop"}`, `{}`, "desktop"},
		{`{"registries":{}}`, `{"delegate":"ecr-login"}`, "ecr-login"},
		{`{"delegate":"pass"}`, `{"delegate":"desktop"}`, "pass"},
		{`{"x":"pass"}`, `{}`, ""},
		{`{"delegate":"pass","x":""}`, `{}`, "error"},
		{`{"x":""}`, `{"delegate":"desktop"}`, "error"},
	} {
		got, err := Load(write(t, row.user, row.machine)).Delegate()
		if err != nil {
			got = "error"
		}
		if got != row.want {
			t.Errorf("%s, %s: %q, %v", row.user, row.machine, got, err)
		}
	}
}

func TestConfig_Clouds(t *testing.T) {
	cloud := func(suffix, authority string) string {
		return `{"clouds":{"*.` + suffix + `":{"authority":"` + authority + `"}}}`
	}
	for _, row := range []struct{ user, machine, want string }{
		{cloud("acr.local", "a.local"), cloud("x.acr.local", "b.local"), "b.local a.local"},
		{cloud("acr.local", "a.local"), cloud("acr.local", "b.local"), "a.local b.local"},
	} {
		var got []string
		for _, c := range Load(write(t, row.user, row.machine)).Clouds {
			got = append(got, c.Authority)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s, %s: %s", row.user, row.machine, got)
		}
	}
}

func TestConfig_Entry(t *testing.T) {
	for _, row := range []struct{ what, user, machine, want string }{
		{"no files", "", "", ""},
		{"no entry that matches", `"fabrikam.azurecr.io":{}`, `"*.azurecr.cn":{}`, ""},
		{"a host before any pattern", `"contos*.azurecr.io":{},"contoso.azurecr.io":{}`, "", "user contoso.azurecr.io"},
		{"more literal characters", `"*.azurecr.io":{},"con*.azurecr.io":{},"c*.azurecr.io":{}`, "", "user con*.azurecr.io"},
		{"the user's of two equal patterns", `"c*.azurecr.io":{}`, `"c*.azurecr.io":{}`, "user c*.azurecr.io"},
		{"the user's of two equally specific patterns", `"*o.azurecr.io":{}`, `"c*.azurecr.io":{}`, "user *o.azurecr.io"},
		{"the machine's more specific one", `"*.azurecr.io":{}`, `"c*.azurecr.io":{}`, "machine c*.azurecr.io"},
		{
			"equally specific patterns of a file", `"contoso.azurecr.io":{}`, `"*o.azurecr.io":{},"c*.azurecr.io":{}`,
			"*o.azurecr.io and c*.azurecr.io match contoso.azurecr.io equally well",
		},
		{
			"a pattern more specific than equal ones", `"*o.azurecr.io":{},"c*.azurecr.io":{},"con*.azurecr.io":{}`, "",
			"user con*.azurecr.io",
		},
	} {
		e, err := Load(write(t, entries(row.user), entries(row.machine))).Entry(parseHost(t, "contoso.azurecr.io"))
		got := strings.TrimSpace(strings.TrimSuffix(filepath.Base(e.Source.Name), ".json") + " " + e.Source.Pattern)
		if e.Source.Name == "" {
			got = ""
		}
		switch {
		case err != nil && (!fault.Is(err, fault.Config) || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want %q", row.what, err, row.want)
		case err == nil && (got != row.want || e.Pattern != e.Source.Pattern):
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
	}
}

func TestConfig_Entries(t *testing.T) {
	user, machine := write(t, entries(`
		"*.azurecr.io":{"identity":"anonymous"}, "contoso.azurecr.io":{"identity":"azure-cli"},
		"fabrikam.azurecr.io":{"identity":"anonymous"}, "tailspin.azurecr.io":{"tenant":"contoso.example"}`), entries(`
		"contoso.azurecr.io":{"identity":"azd"}, "fabrikam.azurecr.io":{"identity":"azd"},
		"tailspin.azurecr.io":{"identity":"azd"}, "wingtip.azurecr.io":{"identity":"azd"},
		"wing*.azurecr.io":{"identity":"service-principal","clientId":"`+guid+`"}`))
	c := Load(user, machine)
	var all []string
	for _, e := range c.Entries() {
		all = append(all, e.Pattern+" "+string(e.Identity)+" "+filepath.Base(e.Source.Name))
	}
	if want := []string{
		"*.azurecr.io anonymous user.json", "contoso.azurecr.io azure-cli user.json",
		"fabrikam.azurecr.io anonymous user.json", "wing*.azurecr.io service-principal machine.json",
		"wingtip.azurecr.io azd machine.json",
	}; !slices.Equal(all, want) {
		t.Errorf("Entries: %q", all)
	}
	if got := c.Hosts(); !slices.Equal(got, []string{"contoso.azurecr.io", "wingtip.azurecr.io"}) {
		t.Errorf("Hosts: %q", got)
	}
	if got := c.Paths(); !slices.Equal(got, []string{user, machine}) {
		t.Errorf("Paths: %q", got)
	}
	if got := Load(user, machine+".none"); !slices.Equal(got.Paths(), []string{user}) || got.HasApplication() {
		t.Errorf("without the machine's file: %q, HasApplication %v", got.Paths(), got.HasApplication())
	}
	if !c.HasApplication() {
		t.Error("HasApplication is false")
	}
}

// TestConfig_wrong_entry proves that a wrong entry stops the registries that it matches, and no other.
func TestConfig_wrong_entry(t *testing.T) {
	const good = `"*.azurecr.io":{"identity":"azd"},"wingtip.azurecr.us":{"identity":"azd"}`
	for _, row := range []struct{ what, user, stopped string }{
		{"a host's", entries(good + `,"contoso.azurecr.io":{"identiy":"azd"}`), "contoso.azurecr.io"},
		{"of no object", entries(good + `,"contoso.azurecr.io":7`), "contoso.azurecr.io"},
		{"twice", entries(good + `,"contoso.azurecr.io":{},"contoso.azurecr.io":{}`), "contoso.azurecr.io"},
		{"invalid value", entries(good + `,"contoso.azurecr.io":{"identity":"azd","tenant":"a b"}`), "contoso.azurecr.io"},
		{
			"a pattern's, although a host's is more specific",
			entries(good + `,"c*.azurecr.io":{"identity":"x"},"contoso.azurecr.io":{"identity":"azd"}`), "contoso.azurecr.io",
		},
		{"an invalid pattern", entries(good + `,"contoso":{"identity":"azd"}`), "all"},
		{"registries itself", `{"registries":[]}`, "all"},
		{"an unknown key", `{"registry":{},"registries":{` + good + `}}`, "all"},
		{"a wrong cloud", `{"clouds":{"x.example":{}},"registries":{` + good + `}}`, "all"},
		{"a wrong delegate", `{"delegate":"acr","registries":{` + good + `}}`, "all"},
	} {
		c := Load(write(t, row.user, entries(`"tailspin.azurecr.io":{"identity":"azd"}`)))
		const hosts = "contoso.azurecr.io fabrikam.azurecr.io wingtip.azurecr.us tailspin.azurecr.io"
		for _, host := range strings.Fields(hosts) {
			_, err := c.Entry(parseHost(t, host))
			if wants := row.stopped == "all" || row.stopped == host; wants != (err != nil) {
				t.Errorf("%s: %s: %v", row.what, host, err)
			}
		}
		if (c.Err() != nil) != (row.stopped == "all") || len(c.Problems()) != 1 {
			t.Errorf("%s: %v, %v", row.what, c.Err(), c.Problems())
		}
	}
}

func TestCheck(t *testing.T) {
	path, _ := write(t, "{\n \"registries\": {\n  \"contoso.azurecr.io\": {\"identiy\": 7, \"tenat\": 1},\n"+
		"  \"fabrikam.azurecr.io\": {\"identity\": \"anonymos\"}\n },\n \"x\": 1\n}\n", "")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range Check(path) {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Message()))
	}
	if want := []string{
		`3:26 contoso.azurecr.io: unknown key "identiy"; did you mean identity?`,
		`3:40 contoso.azurecr.io: unknown key "tenat"; did you mean tenant?`,
		`4:39 fabrikam.azurecr.io: unknown identity "anonymos"; use one of: ` + strings.Join(kindNames(), ", ") +
			"; did you mean anonymous?",
		`6:2 unknown key "x"`,
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := Check(path + ".none"); len(got) != 1 {
		t.Errorf("a file that doesn't exist: %v", got)
	}
	if ok, _ := write(t, "{}", ""); len(Check(ok)) > 0 {
		t.Error("a good file has problems")
	}
}
