package selection_test

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"testing"
)

const (
	object = "0f0f0f0f-1111-4222-8333-000000000001"
	prod   = "aaaaaaaa-0000-4000-8000-000000000001"
	lab    = "aaaaaaaa-0000-4000-8000-000000000002"

	azdAccount = `{"auth":{"account":{"currentUser":{"homeAccountId":"` + object + `.` + tenant + `"}}}}`
)

// twoAccounts is Azure CLI's profile of two accounts, the first of which has the default subscription.
var twoAccounts = "\ufeff" + fmt.Sprintf(`{"installationId":"x","subscriptions":[
	{"id":%q,"name":"Prod","isDefault":true,"tenantId":%[2]q,"environmentName":"AzureCloud",
		"user":{"name":"ada@x","type":"user"}},
	{"id":%[3]q,"name":"Lab Berlin","tenantId":%[4]q,"environmentName":"AzureCloud","user":{"name":"bob@x","type":"user"}},
	{"id":"aaaaaaaa-0000-4000-8000-000000000003","name":"Far","tenantId":%[4]q,"environmentName":"AzureChinaCloud"},
	{"id":"; rm -rf /","name":"Evil","tenantId":%[2]q,"environmentName":"AzureCloud"},
	{"id":"aaaaaaaa-0000-4000-8000-000000000004","name":"Twin","tenantId":%[2]q,"environmentName":"AzureCloud"},
	{"id":"aaaaaaaa-0000-4000-8000-000000000005","name":"twin","tenantId":%[2]q,"environmentName":"AzureCloud"}]}`,
	prod, tenant, lab, otherTenant)

// powerShellContexts has two accounts, of which one is selected. (The tests of package profile have the file as
// Az.Accounts writes it.)
func powerShellContexts(selected string) string {
	return fmt.Sprintf(`{"DefaultContextKey":%q,"Contexts":{
		"Prod (0000) - ada@x":{"Account":{"Id":"ada@x"},"Tenant":{"Id":%q},"Environment":{"Name":"AzureCloud"}},
		"Test (0001) - bob@x":{"Account":{"Id":"bob@x"},"Tenant":{"Id":%q},"Environment":{"Name":"AzureCloud"}}}}`,
		selected, tenant, otherTenant)
}

func TestSelector_Select_azure_cli_entry(t *testing.T) {
	const (
		unknown, bob    = "error config-az-subscription: ", "azure-cli otherTenant bob@x " + lab
		byName          = "$azureCLI, subscription=Prod"
		noAz, signedOut = "error config-az-missing: az is not on the PATH", "error config-az: Azure CLI is not signed in"
	)
	managed := strings.Replace(twoAccounts, `"ada@x"`, `"x","assignedIdentityInfo":"MSIClient-a"`, 1)
	for _, r := range []struct {
		entry   string
		setting setting
		want    string
	}{
		{"$azureCLI", setting{azure: twoAccounts}, "azure-cli tenant ada@x"},
		{"$azureCLI, tenant=$otherTenant", setting{azure: twoAccounts}, "azure-cli otherTenant ada@x ask-tenant"},
		{"$azureCLI, subscription=Lab Berlin", setting{azure: twoAccounts}, bob},
		{"$azureCLI, subscription=LAB berlin", setting{azure: twoAccounts}, bob},
		{"$azureCLI, subscription=" + lab, setting{azure: twoAccounts}, bob},
		{"$azureCLI, subscription=" + strings.ToUpper(prod), setting{azure: twoAccounts}, "azure-cli tenant ada@x " + prod},
		{"$azureCLI, subscription=Lab Berlin, tenant=$otherTenant", setting{azure: twoAccounts}, bob},
		{"$azureCLI, subscription=Lab Berlin, tenant=contoso.example", setting{azure: twoAccounts}, bob},
		{
			"$azureCLI, subscription=Lab Berlin, tenant=$tenant",
			setting{azure: twoAccounts},
			unknown + "belongs to tenant " + otherTenant + ", not " + tenant,
		},
		{
			"$azureCLI, subscription=Moon\nBase",
			setting{azure: twoAccounts},
			unknown + `Azure CLI has no subscription "Moon\nBase"`,
		},
		{"$azureCLI, subscription=Far", setting{azure: twoAccounts}, unknown + `subscription "Far" belongs to AzureChinaCloud`},
		{"$azureCLI, subscription=Evil", setting{azure: twoAccounts}, unknown + `Azure CLI has no valid ID for subscription "Evil"`},
		{"$azureCLI, subscription=Twin", setting{azure: twoAccounts}, unknown + `Azure CLI has 2 subscriptions named "Twin"`},
		{byName, setting{azure: twoAccounts, env: "AZURE_TENANT_ID=$otherTenant"}, "azure-cli tenant ada@x " + prod},
		{byName, setting{azure: twoAccounts, withoutAz: true}, noAz},
		{byName, setting{}, signedOut},
		{"$azureCLI", setting{azure: twoAccounts, withoutAz: true}, noAz},
		{"$azureCLI", setting{withoutAz: true}, noAz},
		{"$azureCLI", setting{}, signedOut},
		{
			"$azureCLI",
			setting{azure: azureProfile("AzureChinaCloud", true)},
			"error config-az-cloud: selects azure-cli, but Azure CLI is signed in to AzureChinaCloud",
		},
		{"$azureCLI", setting{azure: managed}, "azure-cli tenant MSIClient-a"},
		{"identity=azd, subscription=Prod", setting{azure: twoAccounts}, "error config: subscription"},
		{"subscription=Prod", setting{azure: twoAccounts}, "error config: subscription"},
	} {
		r.setting.user = "contoso.azurecr.io: " + r.entry
		row{r.entry, r.setting, r.want}.check(t)
	}
}

func TestSelector_Select_azd_and_powershell_entry(t *testing.T) {
	const azd, pwsh = "identity=azd", "identity=azure-powershell"
	with := func(files map[string]string, name, content string) setting {
		files = maps.Clone(files)
		files[name] = content
		return setting{files: files}
	}
	azdFiles := map[string]string{".azd/auth.json": azdAccount}
	pwshFiles := map[string]string{
		".Azure/AzureRmContext.json": "\ufeff" + powerShellContexts("Prod (0000) - ada@x"),
	}
	inAzd, inPwsh := setting{files: azdFiles}, setting{files: pwshFiles}
	azdSettings := func(content string) setting { return with(azdFiles, ".azd/config.json", content) }
	inChina := azdSettings(`{"cloud":{"name":"AzureChinaCloud"}}`)
	at := func(host string, s setting) setting { s.host = host; return s }
	for _, r := range []struct {
		what, entry string
		setting     setting
		want        string
	}{
		{"azd", azd, inAzd, "azd tenant " + object},
		{"azd with another tenant", azd + ", tenant=$otherTenant", inAzd, "azd otherTenant " + object + " ask-tenant"},
		{"azd with its tenant", azd + ", tenant=" + strings.ToUpper(tenant), inAzd, "azd tenant " + object},
		{
			"azd with the tenant of the environment", azd,
			setting{files: azdFiles, env: "AZURE_TENANT_ID=$otherTenant"},
			"azd otherTenant " + object + " ask-tenant",
		},
		{"azd without files", azd, setting{}, "azd uncached"},
		{"azd without files, with a tenant", azd + ", tenant=$tenant", setting{}, "azd tenant ask-tenant uncached"},
		{"azd without a directory", azd, setting{withoutDirs: true}, "azd uncached"},
		{"azd that uses az", azd, azdSettings(`{"auth":{"useAzCliAuth":"true"}}`), "azd uncached"},
		{"azd with malformed settings", azd, azdSettings(`{`), "azd uncached"},
		{"azd in another cloud", azd, inChina, "error config-azd-cloud: uses AzureChinaCloud"},
		{"azd for a registry of another cloud", azd, at("contoso.azurecr.cn", inAzd), "error config-azd-cloud"},
		{"azd in China", azd, at("contoso.azurecr.cn", inChina), "azd tenant " + object},

		{"PowerShell", pwsh, inPwsh, "azure-powershell tenant ada@x"},
		{
			"PowerShell with another tenant", pwsh + ", tenant=$otherTenant", inPwsh,
			"azure-powershell otherTenant ada@x ask-tenant",
		},
		{"PowerShell without files", pwsh, setting{}, "azure-powershell uncached"},
		{"PowerShell without a directory", pwsh, setting{withoutDirs: true}, "azure-powershell uncached"},
		{
			"PowerShell that stores nothing", pwsh,
			with(pwshFiles, ".Azure/AzureRmContextSettings.json", `{"Mode":"Process"}`), "azure-powershell uncached",
		},
		{"PowerShell in another cloud", pwsh, at("contoso.azurecr.us", inPwsh), "error config-pwsh-cloud"},

		{"azd that is not configured", "", inAzd, "none"},
		{"PowerShell that is not configured", "", inPwsh, "none"},
	} {
		r.setting.user = cmp.Or(r.setting.host, "contoso.azurecr.io") + ": " + r.entry
		row{r.what, r.setting, r.want}.check(t)
	}
}
