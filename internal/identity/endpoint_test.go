package identity

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestDetectEndpoint(t *testing.T) {
	for _, row := range []struct {
		set  string
		want Endpoint
	}{
		{"", ""},
		{"IDENTITY_ENDPOINT IDENTITY_HEADER", AppService},
		{"IDENTITY_ENDPOINT IDENTITY_HEADER MSI_ENDPOINT MSI_SECRET", AppService}, // App Service sets all four
		{"IDENTITY_ENDPOINT IDENTITY_HEADER IDENTITY_SERVER_THUMBPRINT", ServiceFabric},
		{"IDENTITY_ENDPOINT IDENTITY_HEADER IMDS_ENDPOINT", AppService},
		{"MSI_ENDPOINT MSI_SECRET", MachineLearn},
		{"MSI_ENDPOINT", CloudShell},
		{"MSI_ENDPOINT IDENTITY_ENDPOINT IMDS_ENDPOINT", CloudShell},
		{"IDENTITY_ENDPOINT IMDS_ENDPOINT", Arc},
		{"IDENTITY_ENDPOINT", ""},
		{"IDENTITY_HEADER", ""},
		{"MSI_SECRET", ""},
		{"IMDS_ENDPOINT", ""},
		{"IDENTITY_SERVER_THUMBPRINT", ""},
	} {
		getenv := func(name string) string {
			for set := range strings.FieldsSeq(row.set) {
				if set == name {
					return "x"
				}
			}
			return ""
		}
		nothing := func(string) bool { return false }
		if got := DetectEndpoint(getenv, nothing); got != row.want {
			t.Errorf("%q: %q, want %q", row.set, got, row.want)
		}
	}
}

func TestArcAgent(t *testing.T) {
	getenv := func(name string) string { return map[string]string{"ProgramData": "data"}[name] }
	nothing := func(string) string { return "" }
	for _, row := range []struct {
		system string
		getenv func(string) string
		want   string
	}{
		{"linux", nothing, "/opt/azcmagent/bin/himds"},
		{"windows", getenv, filepath.Join("data", "AzureConnectedMachineAgent", "himds.exe")},
		{"windows", nothing, ""}, // a relative path would be found in any working directory
		{"darwin", getenv, ""},
	} {
		if got := arcAgent(row.system, row.getenv); got != row.want {
			t.Errorf("%s: %q, want %q", row.system, got, row.want)
		}
	}
}

func TestDetectEndpoint_finds_arc_agent(t *testing.T) {
	getenv := func(name string) string { return map[string]string{"ProgramData": "data"}[name] }
	agent := arcAgent(runtime.GOOS, getenv)
	if got := DetectEndpoint(getenv, func(path string) bool { return path == agent }); agent != "" && got != Arc {
		t.Errorf("%q", got)
	}
}
