package profile

import (
	"fmt"
	"runtime"
	"testing"
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

func TestAzdProfile(t *testing.T) {
	for _, row := range []struct {
		content, user, tenant string
		ok                    bool
	}{
		{azdPerson, object, home, true},
		{azdUser(`"homeAccountId":"` + object + `.` + home + `","fromOneAuth":true`), object, home, true},
		{azdUser(`"clientId":"` + object + `","tenantId":"` + home + `"`), object, home, true},
		{azdUser(`"clientId":"` + object + `","tenantId":"contoso.example"`), object, "contoso.example", true},
		{azdUser(`"managedIdentity":true`), "managed identity", "", true},
		{azdUser(`"managedIdentity":true,"clientId":"` + object + `"`), "managed identity " + object, "", true},
		{azdUser(`"homeAccountId":"` + object + `"`), "", "", false}, // no tenant
		{azdUser(`"homeAccountId":"x.y"`), "", "", false},            // another broker's
		{azdUser(`"clientId":"` + object + `"`), "", "", false},
		{azdUser(`"homeAccountId":7`), "", "", false},
		{azdUser(``), "", "", false},
		{`{}`, "", "", false}, // after azd auth logout
		{`{"auth":{"account":{}}}`, "", "", false},
		{``, "", "", false},
		{`[]`, "", "", false},
	} {
		user, tenant, ok := azdProfile([]byte(row.content))
		if ok != row.ok || ok && (user != row.user || tenant != row.tenant) {
			t.Errorf("%s: %q, %q, %v", row.content, user, tenant, ok)
		}
	}
}

func TestAzdSettings(t *testing.T) {
	for _, row := range []struct {
		content   string
		cloud     string
		delegated bool
		ok        bool
	}{
		{``, "AzureCloud", false, true}, // there is none
		{`{"defaults":{"subscription":"x"}}`, "AzureCloud", false, true},
		{`{"auth":{"useAzCliAuth":"true"}}`, "AzureCloud", true, true},
		{`{"auth":{"useAzCliAuth":"1"}}`, "AzureCloud", true, true},
		{`{"auth":{"useAzCliAuth":true}}`, "AzureCloud", true, true},
		{`{"auth":{"useAzCliAuth":"false"}}`, "AzureCloud", false, true},
		{`{"cloud":{"name":"AzureUSGovernment"}}`, "AzureUSGovernment", false, true},
		{`unreadable`, "AzureCloud", false, false},
	} {
		var content []byte
		if row.content != "" {
			content = []byte(row.content)
		}
		cloud, delegated, err := azdSettings(content)
		if cloud != row.cloud || delegated != row.delegated || (err == nil) != row.ok {
			t.Errorf("%s: %s, %v, %v", row.content, cloud, delegated, err)
		}
	}
}

// powerShellContexts is laid out as Az.Accounts writes it.
func powerShellContexts(selected, cloud string) string {
	context := func(user, tenant string) string {
		return fmt.Sprintf(`{
      "Account": {"Id": %q, "Credential": null, "Type": "User", "TenantMap": {}, "ExtendedProperties": {"Tenants": %q, "HomeAccountId": "x.y"}},
      "Tenant": {"Id": %q, "Directory": null, "IsHome": true, "ExtendedProperties": {}},
      "Subscription": null,
      "Environment": {"Name": %q, "OnPremise": false, "ServiceManagementUrl": "https://management.core.windows.net/", "ContainerRegistryEndpointSuffix": "azurecr.io"},
      "VersionProfile": null,
      "TokenCache": {"CacheData": null},
      "ExtendedProperties": {}
    }`, user, tenant, tenant, cloud)
	}
	return fmt.Sprintf(`{
  "DefaultContextKey": %q,
  "EnvironmentTable": {},
  "Contexts": {
    "Prod (0000) - ada@x": %s,
    "Test (0001) - bob@x": %s
  },
  "ExtendedProperties": {}
}`, selected, context("ada@x", home), context("bob@x", elsewhere))
}

func TestPowerShellProfile(t *testing.T) {
	for _, row := range []struct {
		content, user, tenant, cloud string
		ok                           bool
	}{
		{powerShellContexts("Prod (0000) - ada@x", "AzureCloud"), "ada@x", home, "AzureCloud", true},
		{powerShellContexts("test (0001) - BOB@x", "AzureChinaCloud"), "bob@x", elsewhere, "AzureChinaCloud", true},
		{powerShellContexts("Default", "AzureCloud"), "", "", "", false}, // PowerShell takes the first then
		{`{"DefaultContextKey":"Default","EnvironmentTable":{},"Contexts":{},"ExtendedProperties":{}}`, "", "", "", false},
		{`{"DefaultContextKey":"a","Contexts":{"a":null}}`, "", "", "", false},
		{`{"DefaultContextKey":"a","Contexts":{"a":{"Account":null,"Tenant":{"Id":"` + home + `"}}}}`, "", "", "", false},
		{`{"DefaultContextKey":"a","Contexts":{"a":{"Account":{"Id":"ada@x"},"Tenant":null}}}`, "", "", "", false},
		{`{"DefaultContextKey":null,"Contexts":null}`, "", "", "", false},
		{``, "", "", "", false},
		{`<xml/>`, "", "", "", false},
	} {
		user, tenant, cloud, ok := powerShellProfile([]byte(row.content))
		if ok != row.ok || ok && (user != row.user || tenant != row.tenant || cloud != row.cloud) {
			t.Errorf("%s: %q, %q, %q, %v", row.content, user, tenant, cloud, ok)
		}
	}
}

func TestPowerShellFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its absolute paths differ")
	}
	for _, row := range []struct{ settings, file string }{
		{``, "/h/.Azure/AzureRmContext.json"},
		{`{"Mode":"CurrentUser","ContextDirectory":"/h/.Azure","ContextFile":"AzureRmContext.json","CacheDirectory":"/h/.IdentityService","CacheFile":"msal.cache","Settings":{}}`, "/h/.Azure/AzureRmContext.json"},
		{`{"Mode":"CurrentUser","ContextDirectory":null,"ContextFile":null}`, "/h/.Azure/AzureRmContext.json"},
		{`{"Mode":"CurrentUser","ContextDirectory":"/elsewhere","ContextFile":"c.json"}`, "/elsewhere/c.json"},
		{`{"Mode":"CurrentUser","ContextDirectory":"relative"}`, ""},
		{`{"Mode":"Process","ContextDirectory":"None","ContextFile":"None"}`, ""},
		{`unreadable`, ""},
	} {
		var settings []byte
		if row.settings != "" {
			settings = []byte(row.settings)
		}
		if file := powerShellFile("/h/.Azure", settings); file != row.file {
			t.Errorf("%s: %q", row.settings, file)
		}
	}
}
