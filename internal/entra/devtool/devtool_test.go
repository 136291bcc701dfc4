package devtool

import (
	"strings"
	"testing"
	"time"
)

func TestParseAz(t *testing.T) {
	local := time.Date(2026, 11, 21, 21, 30, 26, 0, time.Local)
	for _, row := range []struct {
		answer  string
		expires time.Time // zero: refused
	}{
		{`{"accessToken":"x","expiresOn":"2026-11-21 21:30:26.000000","tenant":"t"}`, local},                               // az 2.45: local time, no zone
		{`{"accessToken":"x","expiresOn":"2020-01-01 00:00:00.000000","expires_on":1795296626}`, time.Unix(1795296626, 0)}, // az 2.54
		{`{"accessToken":"","expires_on":1795296626}`, time.Time{}},
		{`{"accessToken":"x"}`, time.Time{}},
		{`{"accessToken":"x","expiresOn":"tomorrow"}`, time.Time{}},
		{`WARNING: {"accessToken":"x"}`, time.Time{}},
		{``, time.Time{}},
	} {
		got, err := parseAz([]byte(row.answer))
		if row.expires.IsZero() != (err != nil) || err == nil && !got.expires.Equal(row.expires) {
			t.Errorf("%s: %v, %v", row.answer, got.expires, err)
		}
	}
}

func TestChildrenGetNoSecrets(t *testing.T) {
	kept := harmless([]string{
		"PATH=/bin", "HOME=/root", "PWD=/x", "AZURE_CONFIG_DIR=/x", "HTTPS_PROXY=http://p", "REQUESTS_CA_BUNDLE=/ca",
		"AZURE_FEDERATED_TOKEN_FILE=/t", "AZURE_CLIENT_CERTIFICATE_PATH=/c", "ACTIONS_ID_TOKEN_REQUEST_URL=https://x",
		"AZURE_CLIENT_SECRET=s", "ARM_CLIENT_SECRET=s", "AZURE_CLIENT_CERTIFICATE_PASSWORD=s", "AZURE_PASSWORD=s", "azure_client_secret=s",
		"AZURE_FEDERATED_TOKEN=s", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=s", "SYSTEM_ACCESSTOKEN=s", "IDENTITY_HEADER=s", "MSI_SECRET=s",
		"AZURE_DEVOPS_EXT_PAT=s", "AZURE_STORAGE_KEY=s", "DB_PASS=s", "MYSQL_PWD=s", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS=s", "NPM_CONFIG__AUTH=s", "MY_SECRET_URL=s",
		"ARM_OIDC_TOKEN=s", "ARM_CLIENT_CERTIFICATE=s", "CI_JOB_JWT_V2=s", "GITLAB_OIDC=eyJhbGciOiJub25lIn0.e30.=s", "GITHUB_TOKEN=s", "AWS_SECRET_ACCESS_KEY=s", "DOCKER_AUTH_CONFIG=s", "AZURE_STORAGE_CONNECTION_STRING=s",
	})
	for _, entry := range kept {
		if strings.HasSuffix(entry, "=s") {
			t.Errorf("%s is kept", entry)
		}
	}
	if len(kept) != 9 {
		t.Errorf("kept: %q", kept)
	}
}

func TestToolsAreFoundByAbsolutePathsOnly(t *testing.T) {
	t.Chdir("testdata")
	for _, path := range []string{".", "", "bin", ":bin:."} {
		tools := Tools{Getenv: func(string) string { return path }}
		if found := tools.Find("az"); found != "" {
			t.Errorf("PATH=%q finds %s", path, found)
		}
	}
}
