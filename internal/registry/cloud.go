package registry

import (
	"cmp"
	"slices"
)

// Audience is the resource that an Entra access token must be meant for, in
// every cloud; its scope is this plus "/.default". (Azure SDKs for Go, .NET and
// JavaScript use the same one everywhere.)
const Audience = "https://containerregistry.azure.net"

// TokenExchange is the audience that a federated credential's assertion must be
// meant for, in every cloud that doesn't say otherwise.
const TokenExchange = "api://AzureADTokenExchange"

// A Cloud is one row of the table below: where its registries live, and who
// signs their users in.
type Cloud struct {
	// Name is how messages call it.
	Name string
	// AzureCLI is how Azure CLI calls it in its profile; empty where it isn't
	// documented.
	AzureCLI string
	// Suffix follows the registry's own name in a login server.
	Suffix string
	// Whole is the one login server that a custom cloud consists of, in place of
	// a Suffix.
	Whole string
	// Audience is what a custom cloud has in place of the usual one; "" for that.
	Audience string
	// Authority is the host of Microsoft Entra in this cloud.
	Authority string
	// Aliases are further names of the same authority, which users may have
	// configured. No request goes to them: they only mean this cloud.
	Aliases []string
	// TokenExchange is the audience of assertions in this cloud; empty for the
	// constant TokenExchange.
	TokenExchange string
}

// AudienceOr is the resource that this cloud's tokens are meant for, unless a
// config file names another one ("" if not).
func (c Cloud) AudienceOr(configured string) string {
	return cmp.Or(configured, c.Audience, Audience)
}

// Is says whether an authority's host belongs to this cloud.
func (c Cloud) Is(authority string) bool {
	return authority == c.Authority || slices.Contains(c.Aliases, authority)
}

// clouds is closed: a token is never sent to a host whose suffix is not here.
// Sources: azure-cli's cloud.py and acr_import tests, cloud-provider-azure's
// credential provider, MSAL's list of trusted authorities.
var clouds = []Cloud{
	{
		Name: "public", AzureCLI: "AzureCloud", Suffix: "azurecr.io", Authority: "login.microsoftonline.com",
		Aliases: []string{"login.windows.net", "login.microsoft.com", "sts.windows.net"},
	},
	{
		Name: "China", AzureCLI: "AzureChinaCloud", Suffix: "azurecr.cn", Authority: "login.partner.microsoftonline.cn",
		Aliases: []string{"login.chinacloudapi.cn"}, TokenExchange: "api://AzureADTokenExchangeChina",
	},
	{
		Name: "US Government", AzureCLI: "AzureUSGovernment", Suffix: "azurecr.us", Authority: "login.microsoftonline.us",
		Aliases: []string{"login.usgovcloudapi.net"}, TokenExchange: "api://AzureADTokenExchangeUSGov",
	},
	{Name: "Germany", AzureCLI: "AzureGermanCloud", Suffix: "azurecr.de", Authority: "login.microsoftonline.de"},
	{Name: "Bleu", Suffix: "azurecr.sovcloud-azure.fr", Authority: "login.sovcloud-identity.fr"},
	{Name: "Delos", Suffix: "azurecr.sovcloud-azure.de", Authority: "login.sovcloud-identity.de"},
	{Name: "ACR test", AzureCLI: "AzureCloud", Suffix: "azurecr-test.io", Authority: "login.microsoftonline.com"},
}
