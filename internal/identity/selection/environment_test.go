package selection_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

func TestSelector_Select_environment(t *testing.T) {
	const (
		sp, gitHub     = "service-principal tenant client", "github-actions tenant client"
		pipelines      = "azure-pipelines tenant client"
		federated, pod = "federated-token tenant client", "workload-identity tenant client"
	)
	for _, r := range []struct{ env, want string }{
		{"$secret", sp},
		{"$secret, AZURE_CLIENT_ID=myapp", "error variable-client-id"},
		{"$secret, AZURE_TENANT_ID=../x", "error variable"},
		{
			"AZURE_CLIENT_ID=$client, AZURE_CLIENT_SECRET=s",
			"error environment: AZURE_TENANT_ID is not set (AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are)",
		},
		{"AZURE_TENANT_ID=$tenant", "none"},
		{"$app, AZURE_CLIENT_CERTIFICATE_PATH=DIR/cert.pem", sp},
		{"$app, AZURE_CLIENT_CERTIFICATE_PATH=DIR/none", "error variable-file"},
		{"$secret, AZURE_CLIENT_CERTIFICATE_PATH=DIR/none", sp},
		{"$app, AZURE_FEDERATED_TOKEN_FILE=DIR/token", pod},
		{"$app, AZURE_FEDERATED_TOKEN_FILE=DIR/garbage", "error variable-file"},
		{"$app, AZURE_FEDERATED_TOKEN_FILE=token", "error variable-path: not an absolute path"},
		{
			"AZURE_TENANT_ID=$tenant, AZURE_FEDERATED_TOKEN_FILE=DIR/token",
			"error environment: AZURE_CLIENT_ID is not set (AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are)",
		},
		{
			"AZURE_TENANT_ID=$tenant, AZURE_FEDERATED_TOKEN_FILE=DIR/token, KUBERNETES_SERVICE_HOST=10.0.0.1",
			"error workload-client-id: AZURE_CLIENT_ID is not set (AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are)",
		},
		{"$app, AZURE_FEDERATED_TOKEN=${jwt ci}", federated},
		{"$app, AZURE_FEDERATED_TOKEN=x", "error variable"},
		{"$app, AZURE_FEDERATED_TOKEN=${jwt }", "error variable"}, // no subject

		{"$app, $gitHub", gitHub},
		{"$app, $gitHub, ACTIONS_ID_TOKEN_REQUEST_TOKEN=", "error environment"},
		{"$gitHub", "none"},
		{"$app, GITHUB_ACTIONS=true", "error github-permission"},
		{"$task, AZURESUBSCRIPTION_CLIENT_ID=$client, AZURESUBSCRIPTION_TENANT_ID=$tenant", pipelines},
		{"$app, $task, AZURESUBSCRIPTION_CLIENT_ID=$otherClient", pipelines},
		{"$app, $task, AZURESUBSCRIPTION_TENANT_ID=$otherTenant", pipelines},
		{"$app, SYSTEM_OIDCREQUESTURI=https://x", "error pipelines-token"},
		{"$pipelines", "none"},
		{"TF_BUILD=True", "none: this Azure Pipelines job has no identity: AZURE_CLIENT_ID is not set"},

		// Terraform's variables, never mixed with Azure's.
		{"$arm, ARM_CLIENT_SECRET=s", sp},
		{
			"ARM_CLIENT_ID=$client",
			"error environment: ARM_TENANT_ID and ARM_CLIENT_SECRET are not set (ARM_CLIENT_ID is)",
		},
		{"$app, ARM_CLIENT_SECRET=s", "error environment"},
		{"$secret, ARM_CLIENT_ID=$otherClient, ARM_CLIENT_SECRET=s", sp},
		{
			"$arm, ARM_OIDC_TOKEN=${jwt ci}",
			"error environment: ARM_USE_OIDC is not set (ARM_OIDC_TOKEN, ARM_CLIENT_ID and ARM_TENANT_ID are)",
		},
		{
			"ARM_OIDC_TOKEN=${jwt ci}",
			"error environment: ARM_CLIENT_ID, ARM_TENANT_ID and ARM_USE_OIDC are not set (ARM_OIDC_TOKEN is)",
		},
		{"$arm, ARM_OIDC_TOKEN=${jwt ci}, ARM_USE_OIDC=true", federated},
		{"$arm, ARM_OIDC_TOKEN_FILE_PATH=DIR/token, ARM_USE_OIDC=1", pod},
		{"$arm, $gitHub, ARM_USE_OIDC=true", gitHub},
		{"$arm, $pipelines, ARM_USE_OIDC=true, ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID=$otherClient", pipelines},
		{"$arm, ARM_USE_AKS_WORKLOAD_IDENTITY=true, AZURE_FEDERATED_TOKEN_FILE=DIR/token", pod},
		{"$secret, ARM_CLIENT_ID=$otherClient, ARM_USE_AKS_WORKLOAD_IDENTITY=true", sp},
		{"$arm, ARM_CLIENT_CERTIFICATE=cGZ4", sp},
		{"$arm, ARM_CLIENT_CERTIFICATE=cG\nZ4\n", sp},
		{`$arm, ARM_CLIENT_CERTIFICATE=-----BEGIN X-----\nMA==`, sp},
		{"$arm, ARM_CLIENT_CERTIFICATE=?", "error variable"},
		{"ARM_USE_MSI=true", "managed-identity IMDS"},
		{"$arm, ARM_CLIENT_SECRET=s, ARM_ENVIRONMENT=china", "error wrong-cloud"},
		{"$arm, ARM_CLIENT_SECRET=s, ARM_ENVIRONMENT=x", "error wrong-cloud"},
		{"$arm, ARM_CLIENT_SECRET=s, ARM_ENVIRONMENT=Public", sp},

		{"$appService", "managed-identity App Service"},
		{"$appService, AZURE_CLIENT_ID=$client", "managed-identity App Service client"},
		{"$secret, $appService", sp},
	} {
		row{r.env, setting{env: r.env}, r.want}.check(t)
	}

	const vm, kubernetes = "managed-identity IMDS client", "KUBERNETES_SERVICE_HOST=10.0.0.1"
	const hosted = "GITHUB_ACTIONS=true, RUNNER_ENVIRONMENT=github-hosted"
	for _, r := range []struct{ env, want string }{
		{"", "managed-identity IMDS detected"},
		{"AZURE_CLIENT_ID=$client", vm},
		{"AZURE_CLIENT_ID=myapp", "error variable-client-id"},
		{"$app, " + hosted, "error github-permission"},
		{hosted, "none: this GitHub Actions job has no identity: AZURE_CLIENT_ID is not set"},
		{"AGENT_ISSELFHOSTED=0", "none"}, // Microsoft-hosted
		{"$app, GITHUB_ACTIONS=true, RUNNER_ENVIRONMENT=self-hosted", vm},
		{kubernetes, "none"},
		{kubernetes + ", AZURE_CLIENT_ID=$client", vm},
	} {
		row{"Azure VM with " + r.env, setting{env: r.env, onAzureVM: true}, r.want}.check(t)
	}
	row{"in a pod without its variables", setting{onAzureVM: true, inPod: true}, "none"}.check(t)
}

// TestSelector_Select_variables_with_surroundings has values with the white space or quotes of
// the file that they come from: white space is ignored, quotes are named in the error.
func TestSelector_Select_variables_with_surroundings(t *testing.T) {
	for _, env := range []string{
		"$secret, AZURE_AUTHORITY_HOST=https://login.microsoftonline.com",
		"$app, AZURE_CLIENT_CERTIFICATE_PATH=DIR/cert.pem",
		"$app, AZURE_FEDERATED_TOKEN_FILE=DIR/token",
		"$app, AZURE_FEDERATED_TOKEN=${jwt ci}",
		"$arm, ARM_CLIENT_SECRET=s, ARM_ENVIRONMENT=public",
		"$arm, ARM_CLIENT_CERTIFICATE=cGZ4",
		"$arm, ARM_OIDC_TOKEN_FILE_PATH=DIR/token, ARM_USE_OIDC=true",
		"AZURE_CLIENT_ID=$client",
	} {
		s := setting{env: env, onAzureVM: env == "AZURE_CLIENT_ID=$client"}
		want := must(s.selectIdentity(t))
		for name, value := range vars(env) {
			for _, around := range []string{"%s\r", "%s\n", "%s\r\n", "%s ", " %s", "\t%s"} {
				s.env = env + ", " + name + "=" + fmt.Sprintf(around, value)
				got, err := s.selectIdentity(t)
				if err != nil || describe(got, nil) != describe(want, nil) || got.Secret != want.Secret {
					t.Errorf("%s in %q: %s, %v", name, around, describe(got, err), err)
				}
			}
			for _, quotes := range []string{`"%s"`, "'%s'", "\"%s\"\r\n"} {
				s.env = env + ", " + name + "=" + fmt.Sprintf(quotes, value)
				_, err := s.selectIdentity(t)
				isFree := strings.Contains(name, "SECRET") || name == "ARM_USE_OIDC" // may have quotes of its own; a switch
				if !isFree && (fault.CodeOf(err) != fault.VariableQuotes || err.Error() != name+" is in quotes") || isFree && err != nil {
					t.Errorf("%s in %q: %v", name, quotes, err)
				}
			}
		}
	}
	const entry = "*.azurecr.io: identity=workload-identity"
	for _, r := range []struct{ env, want string }{
		{`AZURE_CLIENT_ID="$client", AZURE_TENANT_ID=$tenant`, "error variable-quotes: AZURE_CLIENT_ID is in quotes"},
		{`AZURE_CLIENT_ID=$client, AZURE_TENANT_ID='$tenant'`, "error variable-quotes: AZURE_TENANT_ID is in quotes"},
		{"AZURE_TENANT_ID=$tenant, KUBERNETES_SERVICE_HOST=h", "error workload-client-id: selects workload-identity, but no client ID is set"},
	} {
		s := setting{env: r.env + ", AZURE_FEDERATED_TOKEN_FILE=DIR/token", user: entry}
		row{"config file with " + r.env, s, r.want}.check(t)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Windows tools begin a file with a byte order mark, or write UTF-16.
func TestSelector_Select_token_files_of_Windows(t *testing.T) {
	for content, want := range map[string]string{
		"\ufeff" + jwt("pod") + "\r\n": "workload-identity tenant client",
		"\xff\xfee\x00y\x00":           "error variable-file: it is UTF-16 text; save it as UTF-8",
		"e\x00y\x00":                   "error variable-file: it is UTF-16 text; save it as UTF-8",
	} {
		s := setting{env: "$app, AZURE_FEDERATED_TOKEN_FILE=DIR/windows", files: map[string]string{"windows": content}}
		row{fmt.Sprintf("%.10q", content), s, want}.check(t)
	}
}

// Where the assertion comes from.
func TestSelector_Select_federation(t *testing.T) {
	const (
		arm = "$arm, ARM_USE_OIDC=true, ARM_OIDC_REQUEST_URL=https://arm, ARM_OIDC_REQUEST_TOKEN=a"
		pod = "$app, AZURE_FEDERATED_TOKEN_FILE=DIR/token, AZURE_KUBERNETES_TOKEN_PROXY=https://proxy, " +
			"AZURE_KUBERNETES_SNI_NAME=sni, AZURE_KUBERNETES_CA_FILE=/ca, AZURE_KUBERNETES_CA_DATA=pem"
	)
	proxy := identity.TokenProxy{URL: "https://proxy", ServerName: "sni", CAFile: "/ca", CAData: "pem"}
	type federation = identity.Federation
	t1, a := secret.New("t"), secret.New("a")
	for _, row := range []struct {
		env, user string
		want      federation
	}{
		{"$app, $gitHub", "", federation{RequestURL: "https://x", RequestToken: t1}},
		{"$app, $task", "", federation{RequestURL: "https://x", RequestToken: t1, Connection: otherClient}},
		{"$gitHub, " + arm, "", federation{RequestURL: "https://arm", RequestToken: a}},
		{
			"$pipelines, ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID=$client, " + arm, "",
			federation{RequestURL: "https://arm", RequestToken: a, Connection: client},
		},
		{pod, "", federation{File: "DIR/token", Proxy: proxy}},
		{pod, "*.azurecr.io: identity=workload-identity, tokenFile=DIR/one", federation{File: "DIR/one", Proxy: proxy}},
		{pod, "*.azurecr.io: identity=federated-token, tokenFile=DIR/one", federation{File: "DIR/one"}},
	} {
		selector := setting{env: row.env, user: row.user}.selector(t)
		id, err := selector.Select(contoso(t))
		if err != nil || id.Federation == nil {
			t.Errorf("%s: %+v, %v", row.env, id, err)
			continue
		}
		got := *id.Federation
		got.File = strings.Replace(got.File, filepath.ToSlash(filepath.Dir(selector.AzureDir)), "DIR", 1)
		if got != row.want {
			t.Errorf("%s, %s: %+v, want %+v", row.env, row.user, got, row.want)
		}
	}
}

func TestSelector_Select_authority(t *testing.T) {
	for _, r := range []struct{ host, authority, want string }{
		{"contoso.azurecr.io", "https://login.microsoftonline.com/", "service-principal tenant client"},
		{"contoso.azurecr.io", "https://LOGIN.windows.net", "service-principal tenant client"},
		{"contoso.azurecr.cn", "https://login.chinacloudapi.cn", "service-principal tenant client"},
		{"contoso.azurecr.cn", "https://login.microsoftonline.com", "error wrong-cloud"},
		{"contoso.azurecr.io", "https://login.microsoftonline.us", "error wrong-cloud"},
		{"contoso.azurecr.io", "https://evil.example", "error wrong-cloud"},
		{"contoso.azurecr.io", "https://user@login.microsoftonline.com", "error variable"},
		{"contoso.azurecr.io", "https://login.microsoftonline.com:444", "error variable"},
		{"contoso.azurecr.io", "https://login.microsoftonline.com/tenant", "error variable"},
		{"contoso.azurecr.io", "http://login.microsoftonline.com", "error variable"},
		{"contoso.azurecr.io", "login.microsoftonline.com", "error variable"},
	} {
		s := setting{host: r.host, env: "$secret, AZURE_AUTHORITY_HOST=" + r.authority}
		row{r.host + " with " + r.authority, s, r.want}.check(t)
	}
}
