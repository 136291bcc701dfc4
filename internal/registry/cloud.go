package registry

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Audience is the resource that an Entra access token must be issued for, in every cloud;
// its scope is this plus "/.default". (The Azure SDKs for Go, .NET and JavaScript use the
// same one everywhere.)
const Audience = "https://containerregistry.azure.net"

// TokenExchange is the audience that a federated credential's assertion must be issued
// for, in every cloud that has none of its own.
const TokenExchange = "api://AzureADTokenExchange"

// A Cloud is where registries are, and which authority signs their users in.
type Cloud struct {
	// Name is how messages call it.
	Name string
	// AzureCLI is how Azure CLI calls it in its profile; "" where that isn't documented.
	AzureCLI string
	// Suffix follows the registry's own name in a login server. Host is the one login
	// server of a custom cloud that has no suffix. Exactly one of them is set.
	Suffix, Host string
	// Audience is a custom cloud's own; "" for the usual one.
	Audience string
	// Authority is the host of Microsoft Entra in this cloud.
	Authority string
	// Aliases are further names of the same authority, which users may have configured.
	// No request goes to them.
	Aliases []string
	// TokenExchange is the audience of assertions in this cloud; "" for the constant
	// TokenExchange.
	TokenExchange string
	// StandardEndpoints says of a custom cloud that its authority has Microsoft Entra ID's
	// usual endpoints, so that its OpenID document need not be read.
	StandardEndpoints bool
}

// HasKnownEndpoints reports whether the authority has Microsoft Entra ID's usual endpoints:
// that of a built-in cloud has.
func (c Cloud) HasKnownEndpoints() bool {
	return c.StandardEndpoints ||
		slices.ContainsFunc(clouds, func(known Cloud) bool { return known.Authority == c.Authority })
}

// HasAuthority reports whether an authority's host belongs to this cloud.
func (c Cloud) HasAuthority(host string) bool {
	return host == c.Authority || slices.Contains(c.Aliases, host)
}

// testCloud is the name of the cloud in which Microsoft tests registries.
const testCloud = "ACR test"

// clouds is closed: a token is never sent to a host whose suffix is not here. Sources:
// azure-cli's cloud.py and acr_import tests, cloud-provider-azure's credential provider,
// MSAL's list of trusted authorities.
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
	{Name: testCloud, AzureCLI: "AzureCloud", Suffix: "azurecr-test.io", Authority: "login.microsoftonline.com"},
}

// Suffixes returns what login servers end with, in the clouds that anyone may
// use.
func Suffixes() (suffixes []string) {
	for _, c := range clouds {
		if c.Name != testCloud {
			suffixes = append(suffixes, c.Suffix)
		}
	}
	return suffixes
}

// Clouds are the clouds of a config file, in addition to those of the table: Azure Local,
// air-gapped clouds, and registries behind their owner's own domain; nil for none.
// Nothing is ever guessed to be an Azure registry.
type Clouds []Cloud

// NewCloud returns the custom cloud that a config file describes. Its name is one login
// server, or "*." and a suffix; its authority an https URL, or the host alone. Names that
// belong to a built-in cloud are refused, so that no config file can send their tokens
// elsewhere.
func NewCloud(name, authority, azureCLI, audience string) (Cloud, error) {
	cloud := Cloud{Name: name, AzureCLI: azureCLI, Audience: audience}
	host, isSuffix := strings.CutPrefix(name, "*.")
	if isSuffix {
		cloud.Suffix = host
	} else {
		cloud.Host = host
	}
	for _, c := range clouds {
		if strings.Contains(host, c.Suffix) || strings.HasSuffix(c.Suffix, "."+host) {
			return Cloud{}, fmt.Errorf("%s belongs to the %s cloud, which can't be redefined", name, c.Name)
		}
	}
	if !isHostName(host) {
		return Cloud{}, fmt.Errorf("%s must be a login server or *.SUFFIX, in lower case and with a dot", name)
	}
	var err error
	if cloud.Authority, err = authorityHost(authority); err != nil {
		return Cloud{}, fmt.Errorf("%s: %w", name, err)
	}
	return cloud, nil
}

// authorityHost returns the host of an authority, which may be given as a URL.
func authorityHost(authority string) (string, error) {
	if !strings.Contains(authority, "://") {
		authority = "https://" + authority
	}
	u, err := url.Parse(authority)
	if err != nil || u.Scheme != "https" || !isHostName(u.Host) || u.User != nil || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" {
		return "", errors.New("authority is required, in the form https://HOST")
	}
	return u.Host, nil
}

// isHostName reports whether s has two labels or more of lower-case letters, digits and
// inner hyphens, and is no IP address. (RFC 1123 §2.1.)
func isHostName(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label ||
			!text.Only(label, text.Lower+text.Digits+"-") {
			return false
		}
	}
	return len(s) <= 253 && len(labels) >= 2 && !text.Only(labels[len(labels)-1], text.Digits)
}
