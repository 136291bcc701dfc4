package azuretest

import (
	"cmp"
	"slices"
	"strings"
)

// An authority is the Entra endpoint of one Azure cloud.
type authority struct {
	hosts []string // the preferred one first, then its aliases
	cache string   // preferred_cache of instance discovery, when not hosts[0]
	sts   string   // issuer of version 1.0 access tokens
	arm   []string // resources that mean Azure Resource Manager
	acr   string   // Azure Container Registry's resource, when not acrResource
}

// DefaultAuthority is the authority of the public cloud, used by AddTenant.
const DefaultAuthority = "login.microsoftonline.com"

// PrivateAuthority is the authority of an air-gapped cloud, which no client has built in. The resource of its
// registries is https://acr.azure.example.
const PrivateAuthority = "login.azure.example"

// acrResource is Azure Container Registry's resource in every cloud (Azure SDKs for Go, .NET and JavaScript).
// acrAppID is its application ID, the audience of version 2.0 tokens.
const (
	acrResource = "https://containerregistry.azure.net"
	acrAppID    = "6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26"
)

// authorities has the hosts and aliases of instance discovery and MSAL Go's known_metadata.go, and the resources of
// azure-cli's cloud.py. The Resource Managers of the sovereign clouds (.fr, .de) aren't published.
var authorities = []authority{
	{
		hosts: []string{DefaultAuthority, "login.windows.net", "login.microsoft.com", "sts.windows.net"},
		cache: "login.windows.net", sts: "sts.windows.net",
		arm: []string{"https://management.azure.com", "https://management.core.windows.net"},
	},
	{
		hosts: []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}, sts: "sts.chinacloudapi.cn",
		arm: []string{"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn"},
	},
	{
		hosts: []string{"login.microsoftonline.us", "login.usgovcloudapi.net"}, sts: "sts.windows.net",
		arm: []string{"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"},
	},
	{
		hosts: []string{"login.microsoftonline.de"}, sts: "sts.microsoftonline.de",
		arm: []string{"https://management.microsoftazure.de", "https://management.core.cloudapi.de"},
	},
	{hosts: []string{"login.sovcloud-identity.fr"}, sts: "sts.windows.net"},
	{hosts: []string{"login.sovcloud-identity.de"}, sts: "sts.windows.net"},
	{hosts: []string{PrivateAuthority}, sts: "sts.azure.example", acr: "https://acr.azure.example"},
}

// authorityOf returns the authority that a host belongs to.
func authorityOf(host string) (*authority, bool) {
	host = strings.ToLower(host)
	for i := range authorities {
		if slices.Contains(authorities[i].hosts, host) {
			return &authorities[i], true
		}
	}
	return nil, false
}

// resource returns what a scope or audience stands for: "acr", "arm", "exchange", or "" if this cloud doesn't have
// it. Entra ignores a trailing slash.
func (a *authority) resource(name string) string {
	name = strings.TrimSuffix(name, "/")
	switch {
	case name == cmp.Or(a.acr, acrResource), name == acrAppID:
		return "acr"
	case slices.Contains(a.arm, name):
		return "arm"
	case name == a.tokenExchange():
		return "exchange"
	}
	return ""
}
