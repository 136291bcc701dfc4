package identity

import (
	"path/filepath"
	"runtime"
)

// An Endpoint is one of Azure's ways to issue tokens of managed identities. (Order of
// detection and names as in MSAL Go's managedidentity.GetSource.)
type Endpoint string

const (
	// IMDS is the Instance Metadata Service of virtual machines.
	IMDS          Endpoint = "IMDS"
	AppService    Endpoint = "App Service"
	ServiceFabric Endpoint = "Service Fabric"
	MachineLearn  Endpoint = "Azure ML"
	CloudShell    Endpoint = "Cloud Shell"
	Arc           Endpoint = "Azure Arc"
)

// DetectEndpoint returns the endpoint for managed identities that the environment names;
// "" for none: no variable names the IMDS of a virtual machine. The order is that of MSAL
// Go's managedidentity.GetSource, which MSAL itself uses. exists reports whether there is
// a file at a path.
func DetectEndpoint(getenv func(string) string, exists func(path string) bool) Endpoint {
	isSet := func(name string) bool { return getenv(name) != "" }
	switch {
	case isSet("IDENTITY_ENDPOINT") && isSet("IDENTITY_HEADER") && isSet("IDENTITY_SERVER_THUMBPRINT"):
		return ServiceFabric
	case isSet("IDENTITY_ENDPOINT") && isSet("IDENTITY_HEADER"):
		return AppService
	case isSet("MSI_ENDPOINT") && isSet("MSI_SECRET"):
		return MachineLearn
	case isSet("MSI_ENDPOINT"):
		return CloudShell
	case isSet("IDENTITY_ENDPOINT") && isSet("IMDS_ENDPOINT"):
		return Arc
	}
	if agent := arcAgent(runtime.GOOS, getenv); agent != "" && exists(agent) {
		return Arc
	}
	return ""
}

// arcAgent returns where Azure Arc's agent installs the service that issues tokens; ""
// for nowhere. Its variables are set for services only, so a shell on an Arc machine has
// none. ("Authenticate against Azure resources with Azure Arc-enabled servers".)
func arcAgent(system string, getenv func(string) string) string {
	switch system {
	case "linux":
		return "/opt/azcmagent/bin/himds"
	case "windows":
		if data := getenv("ProgramData"); data != "" {
			return filepath.Join(data, "AzureConnectedMachineAgent", "himds.exe")
		}
	}
	return ""
}
