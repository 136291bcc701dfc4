package subprocess

import (
	"slices"
	"strings"
	"testing"
)

// Nothing that can hold a secret is inherited, whatever its name. The delegate gets other programs' secrets, which it may
// need, and none of this program's.
func TestInherited(t *testing.T) {
	const jwt = "eyJhbGciOiJub25lIn0.e30."
	needed := []string{
		"PATH=/bin", "HOME=/root", "LC_ALL=C", "XDG_RUNTIME_DIR=/run", "HTTPS_PROXY=http://p", "https_proxy=http://p",
		"REQUESTS_CA_BUNDLE=/ca", "TZ=UTC",
	}
	others := []string{
		"GITHUB_TOKEN=s", "AWS_SECRET_ACCESS_KEY=s", "DOCKER_AUTH_CONFIG=s", "PAT=s", "GHPAT=s", "MY_PAT_1=s", "DB_CREDS=s",
		"API_CRED=s", "COOKIE=s", "SESSION=s", "SIGNATURE=s", "SAS_URI=s", "CERT_PFX_B64=s", "LC=s", "PATHS=s",
	}
	ours := []string{
		"AZURE_CLIENT_SECRET=s", "ARM_CLIENT_SECRET=s", "AZURE_CLIENT_CERTIFICATE_PASSWORD=s", "AZURE_FEDERATED_TOKEN=s",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=s", "SYSTEM_ACCESSTOKEN=s", "IDENTITY_HEADER=s", "MSI_SECRET=s", "ARM_OIDC_TOKEN=s",
		"MY_TOKEN=" + jwt, "MY_TOKEN= " + jwt, "MY_KEY=-----BEGIN PRIVATE KEY-----",
	}
	all := slices.Concat(needed, others, ours)
	for what, row := range map[string]struct {
		inherits func(string) bool
		want     []string
	}{
		"basic":    {Only(Basic), needed},
		"more":     {Only(Basic, Variables{"SESSION"}), append(slices.Clone(needed), "SESSION=s")},
		"delegate": {AllBut(Secrets), slices.Concat(needed, others)},
	} {
		if got := inherited(all, row.inherits); !slices.Equal(got, row.want) {
			t.Errorf("%s: %s", what, strings.Join(got, " "))
		}
	}
	if inherited(nil, Only(Basic)) == nil {
		t.Error("without an environment, children would inherit the process's own")
	}
}
