package subprocess

import (
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	left := scrub([]string{
		"PATH=/bin", "HOME=/root", "PWD=/x", "AZURE_CONFIG_DIR=/x", "HTTPS_PROXY=http://p", "REQUESTS_CA_BUNDLE=/ca", "PASSWORD_STORE_DIR=/p",
		"AZURE_FEDERATED_TOKEN_FILE=/t", "AZURE_CLIENT_CERTIFICATE_PATH=/c", "ACTIONS_ID_TOKEN_REQUEST_URL=https://x",
		"AZURE_CLIENT_SECRET=s", "ARM_CLIENT_SECRET=s", "AZURE_CLIENT_CERTIFICATE_PASSWORD=s", "AZURE_PASSWORD=s", "azure_client_secret=s",
		"AZURE_FEDERATED_TOKEN=s", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=s", "SYSTEM_ACCESSTOKEN=s", "IDENTITY_HEADER=s", "MSI_SECRET=s",
		"AZURE_DEVOPS_EXT_PAT=s", "AZURE_STORAGE_KEY=s", "DB_PASS=s", "MYSQL_PWD=s", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS=s", "NPM_CONFIG__AUTH=s", "MY_SECRET_URL=s",
		"ARM_OIDC_TOKEN=s", "ARM_CLIENT_CERTIFICATE=s", "CI_JOB_JWT_V2=s", "GITLAB_OIDC=eyJhbGciOiJub25lIn0.e30.=s", "GITHUB_TOKEN=s", "AWS_SECRET_ACCESS_KEY=s", "DOCKER_AUTH_CONFIG=s", "AZURE_STORAGE_CONNECTION_STRING=s",
	})
	for _, entry := range left {
		if strings.HasSuffix(entry, "=s") {
			t.Errorf("%s is passed on", entry)
		}
	}
	if len(left) != 10 {
		t.Errorf("left: %q", left)
	}
	if scrub(nil) == nil {
		t.Error("without an environment, children would inherit the process's own")
	}
}

func TestRunner_Find_skips_relative_directories(t *testing.T) {
	t.Chdir("testdata")
	for _, path := range []string{".", "", "bin", ":bin:."} {
		r := Runner{Getenv: func(string) string { return path }}
		if found := r.Find("az"); found != "" {
			t.Errorf("PATH=%q finds %s", path, found)
		}
	}
}
