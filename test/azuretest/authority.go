package azuretest

import (
	"slices"
	"strings"
)

// An authority is the Entra of one Azure cloud.
type authority struct {
	hosts    []string // the preferred one first, then its aliases
	cache    string   // preferred_cache of instance discovery, when not hosts[0]
	sts      string   // issuer of version 1.0 access tokens
	arm      []string // resources that mean Azure Resource Manager
	acr      string   // Azure Container Registry's resource, when not acrResource
	instance string   // the rest is copied into OpenID documents
	graph    string
	msgraph  string
	rbac     string
}

// DefaultAuthority is the host at which AddTenant registers tenants.
const DefaultAuthority = "login.microsoftonline.com"

// PrivateAuthority is the authority of an air-gapped cloud, of which no client
// knows by itself; PrivateAudience is what its registries accept.
const (
	PrivateAuthority = "login.azure.example"
	PrivateAudience  = "https://acr.azure.example"
)

// acrResource is Azure Container Registry's resource in every cloud (Azure SDKs
// for Go, .NET and JavaScript), acrAppID the application behind it: version 2.0
// tokens carry the latter as their audience.
const (
	acrResource = "https://containerregistry.azure.net"
	acrAppID    = "6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26"
)

// authorities is a table: hosts and aliases as instance discovery and MSAL Go's
// known_metadata.go group them, resources as azure-cli's cloud.py has them. No
// Resource Manager is public for the last two.
var authorities = []authority{
	{
		hosts: []string{DefaultAuthority, "login.windows.net", "login.microsoft.com", "sts.windows.net"},
		cache: "login.windows.net", sts: "sts.windows.net",
		arm:      []string{"https://management.azure.com", "https://management.core.windows.net"},
		instance: "microsoftonline.com", graph: "graph.windows.net",
		msgraph: "graph.microsoft.com", rbac: "https://pas.windows.net",
	},
	{
		hosts:    []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
		sts:      "sts.chinacloudapi.cn",
		arm:      []string{"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn"},
		instance: "partner.microsoftonline.cn", graph: "graph.chinacloudapi.cn",
		msgraph: "microsoftgraph.chinacloudapi.cn", rbac: "https://pas.chinacloudapi.cn",
	},
	{
		hosts:    []string{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		sts:      "sts.windows.net",
		arm:      []string{"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"},
		instance: "microsoftonline.us", graph: "graph.windows.net",
		msgraph: "graph.microsoft.us", rbac: "https://pasff.usgovcloudapi.net",
	},
	{
		hosts: []string{"login.microsoftonline.de"}, sts: "sts.microsoftonline.de",
		arm:      []string{"https://management.microsoftazure.de", "https://management.core.cloudapi.de"},
		instance: "microsoftonline.de", graph: "graph.cloudapi.de",
		msgraph: "graph.microsoft.de", rbac: "https://pas.cloudapi.de",
	},
	{hosts: []string{"login.sovcloud-identity.fr"}, sts: "sts.windows.net", instance: "sovcloud-identity.fr"},
	{hosts: []string{"login.sovcloud-identity.de"}, sts: "sts.windows.net", instance: "sovcloud-identity.de"},
	{hosts: []string{PrivateAuthority}, sts: "sts.azure.example", acr: PrivateAudience, instance: "azure.example"},
}

// authorityOf finds the authority that a host belongs to.
func authorityOf(host string) (*authority, bool) {
	host = strings.ToLower(host)
	for i := range authorities {
		if slices.Contains(authorities[i].hosts, host) {
			return &authorities[i], true
		}
	}
	return nil, false
}

// resource finds what a scope or audience names: "acr", "arm", "exchange" or
// "" for nothing that exists here. A closing slash makes no difference to Entra.
func (a *authority) resource(name string) string {
	name = strings.TrimSuffix(name, "/")
	switch {
	case a.acr != "" && name == a.acr, a.acr == "" && name == acrResource, name == acrAppID:
		return "acr"
	case slices.Contains(a.arm, name):
		return "arm"
	case name == a.tokenExchange():
		return "exchange"
	}
	return ""
}

func (a *authority) preferredCache() string {
	if a.cache != "" {
		return a.cache
	}
	return a.hosts[0]
}
