package identity

import (
	"path/filepath"
	"runtime"
)

// DetectEndpoint says which hosted endpoint for managed identities the
// environment names, "" for none: a virtual machine's IMDS names itself nowhere.
// The order is that of MSAL Go's managedidentity.GetSource, which decides by
// itself when it is used. exists tells whether there is a file at a path.
func DetectEndpoint(getenv func(string) string, exists func(path string) bool) Endpoint {
	set := func(name string) bool { return getenv(name) != "" }
	switch {
	case set("IDENTITY_ENDPOINT") && set("IDENTITY_HEADER") && set("IDENTITY_SERVER_THUMBPRINT"):
		return ServiceFabric
	case set("IDENTITY_ENDPOINT") && set("IDENTITY_HEADER"):
		return AppService
	case set("MSI_ENDPOINT") && set("MSI_SECRET"):
		return MachineLearn
	case set("MSI_ENDPOINT"):
		return CloudShell
	case set("IDENTITY_ENDPOINT") && set("IMDS_ENDPOINT"):
		return Arc
	}
	if agent := arcAgent(runtime.GOOS, getenv); agent != "" && exists(agent) {
		return Arc
	}
	return ""
}

// arcAgent is where Azure Arc's agent installs the service that hands out tokens.
// Its variables are set for services only, so a shell on an Arc machine has none.
// ("Authenticate against Azure resources with Azure Arc-enabled servers".)
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
