package script

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// clusterChanges are changes of the Kubernetes cluster to which the computer belongs.
var clusterChanges = map[string]change{
	"service-account": func(ts *testscript.TestScript, s *fixture, a []string) {
		if s.cluster == nil {
			s.cluster = s.cloud.AddIssuer("https://oidc.cluster.example/")
		}
		namespace, name, _ := strings.Cut(a[0], "/")
		account := s.cluster.ServiceAccount(namespace, name)
		s.accounts[a[0]] = account
		if s.proxy != nil {
			s.proxy.Bind(s.app, s.cluster, account.Subject())
		} else {
			s.app.AddFederatedCredential(s.cluster.URL(), account.Subject(), "")
		}
		writeAccountToken(ts, s, a)
	},
	"service-account-token": writeAccountToken,
	"identity-bindings": func(ts *testscript.TestScript, s *fixture, _ []string) {
		s.proxy = s.cloud.AddTokenProxy()
		ts.Check(os.WriteFile(ts.MkAbs("cluster-ca.pem"), s.proxy.CAPEM(), 0o600))
		ts.Setenv("SNI_NAME", s.proxy.ServerName())
		ts.Setenv("API_SERVER", strings.TrimPrefix(s.proxy.URL(), "https://"))
		ts.Setenv("CLUSTER_CA", ts.MkAbs("cluster-ca.pem"))
	},
	"other-tenant": func(ts *testscript.TestScript, s *fixture, a []string) {
		tenant := s.cloud.AddTenant("", "fabrikam.example")
		app := tenant.AddServicePrincipal(clientID, password)
		s.cloud.AddRegistry(a[0], tenant).Grant(app, azuretest.AcrPull)
		for _, id := range s.identities {
			app.AddManagedIdentityCredential(id)
		}
		ts.Setenv("OTHER_TENANT", tenant.ID())
	},
}

// writeAccountToken writes a token of a service account: NAMESPACE/NAME [FILE [AUDIENCE [TTL]]].
func writeAccountToken(ts *testscript.TestScript, s *fixture, a []string) {
	if len(a) == 1 {
		return
	}
	audience, ttl := azuretest.TokenExchange, time.Hour
	if s.proxy != nil {
		audience = azuretest.IdentityBinding
	}
	if len(a) > 2 {
		audience = a[2]
	}
	if len(a) > 3 {
		var err error
		ttl, err = time.ParseDuration(a[3])
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(a[1]), []byte(s.accounts[a[0]].Token(audience, ttl)), 0o600))
}

// requestCommand writes what kubelet passes: request FILE IMAGE [VERSION] [token=FILE] [KEY=VALUE…].
func requestCommand(ts *testscript.TestScript, _ bool, args []string) {
	version, annotations := "v1", map[string]string{}
	request := map[string]any{"kind": "CredentialProviderRequest", "image": args[1]}
	for _, arg := range args[2:] {
		key, value, isPair := strings.Cut(arg, "=")
		switch {
		case !isPair:
			version = arg
		case key == "token":
			request["serviceAccountToken"] = ts.ReadFile(value)
		default:
			annotations[key] = value
		}
	}
	request["apiVersion"] = "credentialprovider.kubelet.k8s.io/" + version
	if len(annotations) > 0 {
		request["serviceAccountAnnotations"] = annotations
	}
	content, err := json.Marshal(request)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(content, '\n'), 0o600))
}
