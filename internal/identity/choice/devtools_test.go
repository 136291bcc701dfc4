package choice

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

const (
	object    = "0f0f0f0f-1111-4222-8333-000000000001"
	home      = "11111111-2222-3333-4444-555555555555"
	elsewhere = "99999999-2222-3333-4444-555555555555"
)

func azdUser(properties string) string {
	return `{"auth":{"account":{"currentUser":{` + properties + `}}}}`
}

var azdPerson = azdUser(`"homeAccountId":"` + object + `.` + home + `"`)

// powerShellContexts has two people signed in, of whom one is selected. (Package
// profile reads the file as Az.Accounts writes it.)
func powerShellContexts(selected, cloud string) string {
	return fmt.Sprintf(`{"DefaultContextKey":%q,"Contexts":{
		"Prod (0000) - ada@x":{"Account":{"Id":"ada@x"},"Tenant":{"Id":%[2]q},"Environment":{"Name":%[4]q}},
		"Test (0001) - bob@x":{"Account":{"Id":"bob@x"},"Tenant":{"Id":%[3]q},"Environment":{"Name":%[4]q}}}}`, selected, home, elsewhere, cloud)
}

// A desk is where somebody works with developer tools.
type desk struct {
	files          map[string]string // by path below the home directory
	env            map[string]string
	config         string // of contoso.azurecr.io
	withoutHomes   bool
	withoutAz      bool
	registryDomain string // instead of azurecr.io
}

func (d desk) choose(t *testing.T) (identity.Identity, error) {
	t.Helper()
	dir := t.TempDir()
	domain := d.registryDomain
	if domain == "" {
		domain = "azurecr.io"
	}
	files := map[string]string{"config.json": fmt.Sprintf(`{"registries":{"contoso.%s":%s}}`, domain, d.config)}
	for name, content := range d.files {
		files[name] = content
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Chooser{
		Getenv: func(name string) string { return d.env[name] }, Login: func(string) (*identity.Login, error) { return nil, nil },
		Patterns: func() ([]string, error) { return nil, nil },
		Config:   config.Files{User: filepath.Join(dir, "config.json")}, HasAzureCLI: func() bool { return !d.withoutAz },
		OnAzureVM: func() bool { return false }, Exists: func(string) bool { return false },
	}
	if !d.withoutHomes {
		c.AzureDir, c.AzdDir, c.PowerShellDir = filepath.Join(dir, ".azure"), filepath.Join(dir, ".azd"), filepath.Join(dir, ".Azure")
	}
	host, err := registry.ParseHost("contoso." + domain)
	if err != nil {
		t.Fatal(err)
	}
	return c.For(host)
}

// outline says what counts of a choice.
func outline(id identity.Identity, err error) string {
	if wrong := new(identity.Error); errors.As(err, &wrong) {
		return wrong.Code()
	}
	s := fmt.Sprintf("%s %s", id.Kind, map[string]string{home: "home", elsewhere: "elsewhere", "": "-"}[id.Tenant])
	for _, part := range []struct {
		is   bool
		word string
	}{{id.AskTenant, "asked"}, {id.Uncached, "uncached"}, {id.User != "", id.User}, {id.Subscription != "", id.Subscription}} {
		if part.is {
			s += " " + part.word
		}
	}
	return s
}

func TestDeveloperToolsOfTheConfigFile(t *testing.T) {
	const azd, pwsh = `{"identity":"azd"}`, `{"identity":"azure-powershell"}`
	ada := map[string]string{".Azure/AzureRmContext.json": "\ufeff" + powerShellContexts("Prod (0000) - ada@x", "AzureCloud")}
	person := map[string]string{".azd/auth.json": azdPerson}
	with := func(files map[string]string, name, content string) map[string]string {
		more := map[string]string{name: content}
		for n, c := range files {
			more[n] = c
		}
		return more
	}
	for _, row := range []struct {
		what string
		desk desk
		want string
	}{
		{"azd", desk{config: azd, files: person}, "azd home " + object},
		{"azd of another tenant", desk{config: `{"identity":"azd","tenant":"` + elsewhere + `"}`, files: person}, "azd elsewhere asked " + object},
		{"azd of the same tenant", desk{config: `{"identity":"azd","tenant":"` + strings.ToUpper(home) + `"}`, files: person}, "azd home " + object},
		{"azd with a tenant of the environment", desk{config: azd, files: person, env: map[string]string{"AZURE_TENANT_ID": elsewhere}}, "azd elsewhere asked " + object},
		{"azd without files", desk{config: azd}, "azd - uncached"},
		{"azd without files, with a tenant", desk{config: `{"identity":"azd","tenant":"` + home + `"}`}, "azd home asked uncached"},
		{"azd without a home", desk{config: azd, withoutHomes: true}, "azd - uncached"},
		{"azd that leaves it to az", desk{config: azd, files: with(person, ".azd/config.json", `{"auth":{"useAzCliAuth":"true"}}`)}, "azd - uncached"},
		{"azd with broken settings", desk{config: azd, files: with(person, ".azd/config.json", `{`)}, "azd - uncached"},
		{"azd in another cloud", desk{config: azd, files: with(person, ".azd/config.json", `{"cloud":{"name":"AzureChinaCloud"}}`)}, identity.CodeAzdCloud},
		{"azd of another cloud's registry", desk{config: azd, files: person, registryDomain: "azurecr.cn"}, identity.CodeAzdCloud},
		{"azd in China", desk{config: azd, files: with(person, ".azd/config.json", `{"cloud":{"name":"AzureChinaCloud"}}`), registryDomain: "azurecr.cn"}, "azd home " + object},

		{"PowerShell", desk{config: pwsh, files: ada}, "azure-powershell home ada@x"},
		{"PowerShell of another tenant", desk{config: `{"identity":"azure-powershell","tenant":"` + elsewhere + `"}`, files: ada}, "azure-powershell elsewhere asked ada@x"},
		{"PowerShell without files", desk{config: pwsh}, "azure-powershell - uncached"},
		{"PowerShell without a home", desk{config: pwsh, withoutHomes: true}, "azure-powershell - uncached"},
		{"PowerShell that keeps nothing", desk{config: pwsh, files: with(ada, ".Azure/AzureRmContextSettings.json", `{"Mode":"Process"}`)}, "azure-powershell - uncached"},
		{"PowerShell in another cloud", desk{config: pwsh, files: ada, registryDomain: "azurecr.us"}, identity.CodePowerShellCloud},
	} {
		id, err := row.desk.choose(t)
		if got := outline(id, err); got != row.want {
			t.Errorf("%s: %s (%v), want %s", row.what, got, err, row.want)
		}
		if err == nil && (id.Fingerprint == "") != id.Uncached {
			t.Errorf("%s: fingerprint %q, uncached %v", row.what, id.Fingerprint, id.Uncached)
		}
		if err == nil && (!strings.HasPrefix(id.Source, "config file ") || id.Audience != registry.Audience || id.String() == "nobody") {
			t.Errorf("%s: %+v", row.what, id)
		}
	}
}

func TestDeveloperToolsAreNeverChosenUnasked(t *testing.T) {
	d := desk{config: `{}`, files: map[string]string{".azd/auth.json": azdPerson, ".Azure/AzureRmContext.json": powerShellContexts("Prod (0000) - ada@x", "AzureCloud")}}
	if id, err := d.choose(t); err != nil || id.Kind != identity.None {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestUsersOfAToolNeverShareAToken(t *testing.T) {
	choose := func(selected string) identity.Identity {
		d := desk{config: `{"identity":"azure-powershell","tenant":"` + home + `"}`, files: map[string]string{".Azure/AzureRmContext.json": powerShellContexts(selected, "AzureCloud")}}
		id, err := d.choose(t)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if ada, bob := choose("Prod (0000) - ada@x"), choose("Test (0001) - bob@x"); ada.Same(bob) || ada.Fingerprint == bob.Fingerprint {
		t.Errorf("%+v and %+v are the same", ada, bob)
	}
}
