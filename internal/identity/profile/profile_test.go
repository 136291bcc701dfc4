package profile

import (
	"fmt"
	"runtime"
	"testing"
)

const (
	object      = "0f0f0f0f-1111-4222-8333-000000000001"
	tenant      = "11111111-2222-3333-4444-555555555555"
	otherTenant = "99999999-2222-3333-4444-555555555555"
)

// checkAccount compares accounts; of one that isn't known, the other fields don't matter.
func checkAccount(t *testing.T, content string, got, want Account) {
	t.Helper()
	if got.IsKnown != want.IsKnown || got.IsKnown && got != want {
		t.Errorf("%s: %+v, want %+v", content, got, want)
	}
}

func TestAzdAccount(t *testing.T) {
	known := func(user, tenant string) Account { return Account{User: user, Tenant: tenant, IsKnown: true} }
	user := func(fields string) string { return `{"auth":{"account":{"currentUser":{` + fields + `}}}}` }
	for _, row := range []struct {
		content string
		want    Account
	}{
		{user(`"homeAccountId":"` + object + `.` + tenant + `"`), known(object, tenant)},
		{user(`"homeAccountId":"` + object + `.` + tenant + `","fromOneAuth":true`), known(object, tenant)},
		{user(`"clientId":"` + object + `","tenantId":"` + tenant + `"`), known(object, tenant)},
		{user(`"clientId":"` + object + `","tenantId":"contoso.example"`), known(object, "contoso.example")},
		{user(`"managedIdentity":true`), known("managed identity", "")},
		{user(`"managedIdentity":true,"clientId":"` + object + `"`), known("managed identity "+object, "")},
		{user(`"homeAccountId":"` + object + `"`), Account{}}, // no tenant
		{user(`"homeAccountId":"x.y"`), Account{}},            // another broker's
		{user(`"clientId":"` + object + `"`), Account{}},
		{user(`"homeAccountId":7`), Account{}},
		{user(``), Account{}},
		{`{}`, Account{}}, // after azd auth logout
		{`{"auth":{"account":{}}}`, Account{}},
		{``, Account{}},
		{`[]`, Account{}},
	} {
		checkAccount(t, row.content, azdAccount([]byte(row.content)), row.want)
	}
}

// optional is the content of a file that doesn't exist if it is "".
func optional(content string) []byte {
	if content == "" {
		return nil
	}
	return []byte(content)
}

func TestAzdSettings(t *testing.T) {
	for _, row := range []struct {
		content      string
		cloud        string
		usesAzureCLI bool
		ok           bool
	}{
		{``, "AzureCloud", false, true},
		{`{"defaults":{"subscription":"x"}}`, "AzureCloud", false, true},
		{`{"auth":{"useAzCliAuth":"true"}}`, "AzureCloud", true, true},
		{`{"auth":{"useAzCliAuth":"1"}}`, "AzureCloud", true, true},
		{`{"auth":{"useAzCliAuth":true}}`, "AzureCloud", true, true},
		{`{"auth":{"useAzCliAuth":"false"}}`, "AzureCloud", false, true},
		{`{"cloud":{"name":"AzureUSGovernment"}}`, "AzureUSGovernment", false, true},
		{`unreadable`, "AzureCloud", false, false},
	} {
		cloud, usesAzureCLI, err := azdSettings(optional(row.content))
		if cloud != row.cloud || usesAzureCLI != row.usesAzureCLI || (err == nil) != row.ok {
			t.Errorf("%s: %s, %v, %v", row.content, cloud, usesAzureCLI, err)
		}
	}
}

// powerShellContexts is laid out as Az.Accounts writes it.
func powerShellContexts(selected, cloud string) string {
	context := func(user, tenant string) string {
		return fmt.Sprintf(`{
      "Account": {"Id": %q, "Credential": null, "Type": "User", "TenantMap": {},
        "ExtendedProperties": {"Tenants": %q, "HomeAccountId": "x.y"}},
      "Tenant": {"Id": %q, "Directory": null, "IsHome": true, "ExtendedProperties": {}},
      "Subscription": null,
      "Environment": {"Name": %q, "OnPremise": false,
        "ServiceManagementUrl": "https://management.core.windows.net/",
        "ContainerRegistryEndpointSuffix": "azurecr.io"},
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
}`, selected, context("ada@x", tenant), context("bob@x", otherTenant))
}

func TestPowerShellAccount(t *testing.T) {
	for _, row := range []struct {
		content string
		want    Account
	}{
		{powerShellContexts("Prod (0000) - ada@x", "AzureCloud"), Account{"ada@x", tenant, "AzureCloud", true}},
		{
			powerShellContexts("test (0001) - BOB@x", "AzureChinaCloud"),
			Account{"bob@x", otherTenant, "AzureChinaCloud", true},
		},
		{powerShellContexts("Default", "AzureCloud"), Account{}}, // PowerShell takes the first then
		{`{"DefaultContextKey":"Default","EnvironmentTable":{},"Contexts":{},"ExtendedProperties":{}}`, Account{}},
		{`{"DefaultContextKey":"a","Contexts":{"a":null}}`, Account{}},
		{`{"DefaultContextKey":"a","Contexts":{"a":{"Account":null,"Tenant":{"Id":"` + tenant + `"}}}}`, Account{}},
		{`{"DefaultContextKey":"a","Contexts":{"a":{"Account":{"Id":"ada@x"},"Tenant":null}}}`, Account{}},
		{`{"DefaultContextKey":null,"Contexts":null}`, Account{}},
		{``, Account{}},
		{`<xml/>`, Account{}},
	} {
		checkAccount(t, row.content, powerShellAccount([]byte(row.content)), row.want)
	}
}

func TestPowerShellFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its absolute paths differ")
	}
	const dir, name = "/h/.Azure", "AzureRmContext.json"
	for _, row := range []struct{ settings, dir, name string }{
		{``, dir, name},
		{
			`{"Mode":"CurrentUser","ContextDirectory":"/h/.Azure","ContextFile":"AzureRmContext.json",
			"CacheDirectory":"/h/.IdentityService","CacheFile":"msal.cache","Settings":{}}`, dir, name,
		},
		{`{"Mode":"CurrentUser","ContextDirectory":null,"ContextFile":null}`, dir, name},
		{`{"Mode":"CurrentUser","ContextDirectory":"/elsewhere","ContextFile":"c.json"}`, "/elsewhere", "c.json"},
		{`{"Mode":"CurrentUser","ContextDirectory":"relative"}`, "", ""},
		{`{"Mode":"Process","ContextDirectory":"None","ContextFile":"None"}`, "", ""},
		{`unreadable`, "", ""},
	} {
		if gotDir, gotName := powerShellFile(dir, optional(row.settings)); gotDir != row.dir || gotName != row.name {
			t.Errorf("%s: %q, %q", row.settings, gotDir, gotName)
		}
	}
}
