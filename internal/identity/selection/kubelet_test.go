package selection_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	"github.com/docker-credential-acr/docker-credential-acr/internal/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// accountToken is a token that kubelet passes.
func accountToken(audience, account, uid string) secret.String {
	return secret.New(jwtWith(`"aud":["` + audience + `"],"sub":"system:serviceaccount:` + account +
		`","kubernetes.io":{"serviceaccount":{"uid":"` + uid + `"}}`))
}

// cart is the token of one service account.
var cart = accountToken("api://AzureADTokenExchange", "shop:cart", "1")

// annotations of a service account.
func annotations(clientID, tenant string) map[string]string {
	return map[string]string{kubelet.ClientIDAnnotation: clientID, kubelet.TenantIDAnnotation: tenant}
}

// forKubelet selects in a setting for a request of kubelet. azureJSON is the file's content; "" for no file.
func forKubelet(t *testing.T, s setting, k selection.Kubelet, azureJSON string) (identity.Identity, error) {
	t.Helper()
	selector := s.selector(t)
	if azureJSON != "" {
		path := filepath.Join(t.TempDir(), "azure.json")
		if err := os.WriteFile(path, []byte(expand(azureJSON)), 0o600); err != nil {
			t.Fatal(err)
		}
		node, err := kubelet.ReadAzureJSON(path, selector.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		k.Node = &node
	}
	selector.Kubelet = &k
	host, err := selector.Config.Clouds.ParseHost("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	return selector.Select(host)
}

const (
	managedNode = `{"tenantId":"$tenant","useManagedIdentityExtension":true,"userAssignedIdentityID":"$otherClient"}`
	secretNode  = `{"tenantId":"$tenant","aadClientId":"$otherClient","aadClientSecret":"s"}`
)

// TestSelector_Select_for_kubelet_service_account: a token in the request means that service account or an error.
func TestSelector_Select_for_kubelet_service_account(t *testing.T) {
	proxy := identity.TokenProxy{URL: "https://10.0.0.1", ServerName: "a.example"}
	bound := accountToken(selection.BindingAudience, "shop:cart", "1")
	for _, row := range []struct {
		what    string
		setting setting
		kubelet selection.Kubelet
		node    string
		want    string
	}{
		{"annotations", setting{}, selection.Kubelet{Token: cart, Annotations: annotations(client, tenant)}, managedNode, "workload-identity tenant client"},
		{
			"before logins, config and environment",
			setting{env: "$secret", user: "contoso.azurecr.io: $sp", logins: logins{"contoso.azurecr.io": {Kind: identity.RegistryUser, User: "a"}}},
			selection.Kubelet{Token: cart, Annotations: annotations(otherClient, otherTenant)},
			secretNode, "workload-identity otherTenant otherClient",
		},
		{
			"config",
			setting{user: "*.azurecr.io: identity=workload-identity, clientId=$client, tenant=$tenant"},
			selection.Kubelet{Token: cart},
			"", "workload-identity tenant client",
		},
		{
			"the client of another kind of entry doesn't count",
			setting{user: "*.azurecr.io: identity=managed-identity, clientId=$client"},
			selection.Kubelet{Token: cart},
			managedNode, "error service-account: shop/cart: it has no annotation kubernetes.azure.com/acr-client-id",
		},
		{"an anonymous entry doesn't count", setting{user: "*.azurecr.io: $anonymous"}, selection.Kubelet{Token: cart}, "", "error service-account: it has no annotation"},
		{
			"half by annotation",
			setting{user: "*.azurecr.io: tenant=$tenant"},
			selection.Kubelet{Token: cart, Annotations: annotations(client, "")},
			"", "workload-identity tenant client",
		},
		{"no tenant", setting{}, selection.Kubelet{Token: cart, Annotations: annotations(client, "")}, managedNode, "error service-account: acr-tenant-id"},
		{"not the environment's", setting{env: "$app"}, selection.Kubelet{Token: cart}, "", "error service-account: acr-client-id"},
		{"an empty annotation", setting{}, selection.Kubelet{Token: cart, Annotations: annotations("", tenant)}, "", "error service-account: acr-client-id"},
		{"a client ID that is none", setting{}, selection.Kubelet{Token: cart, Annotations: annotations("x", tenant)}, "", `error service-account: its client ID "x" is not a GUID`},
		{"a tenant that is none", setting{}, selection.Kubelet{Token: cart, Annotations: annotations(client, "common")}, "", "error service-account: is neither a GUID nor a domain"},
		{"no token at all", setting{}, selection.Kubelet{Token: secret.New("x")}, managedNode, "error service-account: is not a JSON Web Token"},
		{
			"for the API server",
			setting{},
			selection.Kubelet{Token: accountToken("https://kubernetes.default.svc", "shop:cart", "1"), Annotations: annotations(client, tenant)},
			"",
			"error service-account: its token is for https://kubernetes.default.svc",
		},
		{"bound, without a proxy", setting{}, selection.Kubelet{Token: bound, Annotations: annotations(client, tenant)}, "", "error service-account: --ib-sni-name"},
		{"a proxy, not bound", setting{}, selection.Kubelet{Token: cart, Proxy: proxy, Annotations: annotations(client, tenant)}, "", "error service-account: which identity bindings need"},
		{"bound, of the cluster's tenant", setting{}, selection.Kubelet{Token: bound, Proxy: proxy, Annotations: annotations(client, "")}, managedNode, "workload-identity tenant client"},
		{
			"bound, defaults",
			setting{},
			selection.Kubelet{Token: bound, Proxy: proxy, DefaultClientID: client, DefaultTenant: otherTenant},
			managedNode, "workload-identity otherTenant client",
		},
	} {
		id, err := forKubelet(t, row.setting, row.kubelet, row.node)
		checkSelected(t, row.what, id, err, row.want)
	}
}

// TestSelector_Select_for_kubelet_node: azure.json takes the place of the environment and the computer.
func TestSelector_Select_for_kubelet_node(t *testing.T) {
	azureCLI := setting{azure: `{"subscriptions":[{"id":"$client","isDefault":true,"tenantId":"$tenant","environmentName":"AzureCloud","user":{"name":"a","type":"user"}}]}`}
	azureCLI.azure = expand(azureCLI.azure)
	for _, row := range []struct {
		what    string
		setting setting
		node    string
		want    string
	}{
		{"managed identity", setting{env: "$secret", onAzureVM: true}, managedNode, "managed-identity IMDS otherClient"},
		{"secret", setting{env: "$secret"}, secretNode, "service-principal tenant otherClient"},
		{"the switch decides", setting{}, `{"tenantId":"$tenant","aadClientId":"$client","aadClientSecret":"s","useManagedIdentityExtension":true}`, "managed-identity IMDS"},
		{"certificate", setting{files: map[string]string{"c": "pem"}}, `{"tenantId":"$tenant","aadClientId":"$client","aadClientCertPath":"/nonexistent"}`, "error variable-file"},
		{"a relative certificate", setting{}, `{"tenantId":"$tenant","aadClientId":"$client","aadClientCertPath":"c.pfx"}`, "error azure-json: aadClientCertPath is not an absolute path"},
		{
			"token file of the environment",
			setting{env: "AZURE_FEDERATED_TOKEN_FILE=DIR/token, AZURE_KUBERNETES_TOKEN_PROXY=https://x"},
			`{"tenantId":"$tenant","aadClientId":"$client","useFederatedWorkloadIdentityExtension":true,"aadFederatedTokenFile":"/nonexistent"}`, "workload-identity tenant client",
		},
		{"no token file", setting{}, `{"tenantId":"$tenant","aadClientId":"$client","useFederatedWorkloadIdentityExtension":true}`, "error azure-json: aadFederatedTokenFile is not set"},
		{"none, on an Azure VM with variables", setting{env: "$secret", onAzureVM: true}, `{"aadClientId":"msi","aadClientSecret":"msi"}`, "none"},
		{"no credential", setting{env: "$secret"}, `{"tenantId":"$tenant","aadClientId":"$client"}`, "error azure-json: aadClientSecret or aadClientCertPath is not set"},
		{"an identity of AKS's own", setting{}, `{"aadMSIDataPlaneIdentityPath":"/x"}`, "error azure-json: aadMSIDataPlaneIdentityPath is not supported"},
		{"another cloud", setting{}, `{"cloud":"AzureChinaCloud","tenantId":"$tenant","aadClientId":"$client","aadClientSecret":"s"}`, "error azure-json-cloud: (public)"},
		{"an unknown Azure Stack", setting{}, `{"cloud":"AzureStackCloud","useManagedIdentityExtension":true}`, "error azure-json-cloud"},
		{"another cloud, no identity", setting{}, `{"cloud":"AzureChinaCloud"}`, "none"},
		{"the registry's tenant", setting{user: "*.azurecr.io: tenant=$otherTenant"}, secretNode, "service-principal otherTenant otherClient"},
		{"a managed identity in another tenant", setting{user: "*.azurecr.io: tenant=$otherTenant"}, managedNode, "error azure-json-tenant: can't sign in to tenant"},
		{"a managed identity in its own tenant", setting{user: "*.azurecr.io: tenant=$tenant"}, managedNode, "managed-identity IMDS otherClient"},
		{"a config entry", setting{user: "*.azurecr.io: identity=managed-identity, clientId=$client"}, managedNode, "managed-identity IMDS client"},
		{"a tool", setting{user: "*.azurecr.io: $azureCLI"}, managedNode, "error config: kubelet can't use it"},
		{"a login", setting{logins: logins{"contoso.azurecr.io": {Kind: identity.RegistryUser, User: "a"}}}, managedNode, "registry-user a"},
		{"no file: variables", setting{env: "$secret", onAzureVM: true}, "", "service-principal tenant client"},
		{"no file: the computer", setting{onAzureVM: true}, "", "managed-identity IMDS"},
		{"no file: never Azure CLI", azureCLI, "", "none"},
	} {
		if runtime.GOOS == "windows" { // where a path without a drive isn't absolute
			row.node = strings.ReplaceAll(row.node, `"/nonexistent"`, `"C:/nonexistent"`)
		}
		id, err := forKubelet(t, row.setting, selection.Kubelet{}, row.node)
		checkSelected(t, row.what, id, err, row.want)
	}
}

// checkSelected compares what was selected with a description; what follows ": " must be part of the error.
func checkSelected(t *testing.T, what string, id identity.Identity, err error, want string) {
	t.Helper()
	want, says, _ := strings.Cut(want, ": ")
	got := strings.Join(strings.Fields(strings.TrimSuffix(describe(id, err), " detected")), " ")
	if got != want || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %s (%v), want %s (%s)", what, got, err, want, says)
	}
	if err == nil && id.Federation != nil && !id.Federation.Token.IsZero() != (id.Source.Kind == identity.FromServiceAccount) {
		t.Errorf("%s: source %v", what, id.Source)
	}
}

// TestSelector_Select_tells_service_accounts_apart: what decides on the fingerprint decides on the token.
func TestSelector_Select_tells_service_accounts_apart(t *testing.T) {
	exchange := "api://AzureADTokenExchange"
	for _, row := range []struct {
		what  string
		token secret.String
		same  bool
	}{
		{"another token of the same account", secret.New(strings.TrimSuffix(cart.Reveal(), "c2ln") + "b3Ro"), true},
		{"made again", accountToken(exchange, "shop:cart", "2"), false},
		{"another namespace", accountToken(exchange, "other:cart", "1"), false},
		{"another audience", accountToken("api://AzureADTokenExchangeUSGov", "shop:cart", "1"), false},
	} {
		one, err := forKubelet(t, setting{}, selection.Kubelet{Token: cart, Annotations: annotations(client, tenant)}, "")
		if err != nil {
			t.Fatal(err)
		}
		other, err := forKubelet(t, setting{}, selection.Kubelet{Token: row.token, Annotations: annotations(client, tenant)}, "")
		if err != nil || one.Equal(other) != row.same {
			t.Errorf("%s: %v, the same: %v", row.what, err, one.Equal(other))
		}
		if fault.CodeOf(err) != "" || other.Assertion.Hash != row.token.Fingerprint() {
			t.Errorf("%s: %v", row.what, other.Assertion)
		}
	}
}
