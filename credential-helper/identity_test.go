package credhelper_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func TestWithIdentity(t *testing.T) {
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant("")
	app := tenant.AddServicePrincipal("", secret)
	client := app.ClientID()
	managed := tenant.AddManagedIdentity("mirror")
	cloud.AddManagedIdentityHost(managed)
	issuer := cloud.AddIssuer("https://oidc.aks.example")
	app.AddFederatedCredential(issuer.URL(), "pod", azuretest.TokenExchange)
	certificate, key := newCertificate(t)
	app.AddCertificate(certificate)
	registry := cloud.AddRegistry(contoso, tenant)
	registry.Grant(app, azuretest.AcrPull)
	registry.Grant(managed, azuretest.AcrPull)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(issuer.Token("pod", azuretest.TokenExchange, time.Hour)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]credhelper.Identity{
		"secret":             credhelper.ServicePrincipal{TenantID: tenant.ID(), ClientID: client, Secret: secret},
		"certificate":        credhelper.ServicePrincipal{TenantID: tenant.ID(), ClientID: client, CertificatePEM: key},
		"workload":           credhelper.WorkloadIdentity{TenantID: tenant.ID(), ClientID: client, TokenFile: tokenFile},
		"workload of AKS":    credhelper.WorkloadIdentity{},
		"managed":            credhelper.ManagedIdentity{},
		"managed, client":    credhelper.ManagedIdentity{ClientID: managed.ClientID()},
		"managed, object":    credhelper.ManagedIdentity{ObjectID: managed.ObjectID()},
		"managed, resource":  credhelper.ManagedIdentity{ResourceID: managed.ResourceID()},
		"pointer to managed": &credhelper.ManagedIdentity{},
	} {
		t.Run(name, func(t *testing.T) {
			h := credhelper.New(
				credhelper.WithIdentity(id), credhelper.WithKeyring(credhelper.KeyringNone),
				credhelper.WithTransport(cloud.Transport()), credhelper.WithAzureVMDetector(func() bool { return false }),
				credhelper.WithEnvironment([]string{ // half an application, which would be an error without WithIdentity
					"AZURE_TENANT_ID=" + tenant.ID(), "AZURE_CLIENT_ID=" + app.ClientID(), "AZURE_FEDERATED_TOKEN_FILE=" + tokenFile,
					"AZURE_AUTHORITY_HOST=https://login.chinacloudapi.cn/",
				}),
			)
			for range 2 {
				if user, password, err := h.Get(contoso); err != nil || user != credhelper.NullGUID || password == "" {
					t.Fatalf("%q, %v", user, err)
				}
			}
		})
	}
}

// newCertificate returns a certificate, and in PEM together with its key.
func newCertificate(t *testing.T) (*x509.Certificate, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mirror"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return certificate, both
}

func TestWithIdentity_mistakes(t *testing.T) {
	const guid = "7d1c0000-0000-4000-8000-00000000abcd"
	cloud := azuretest.Start(t)
	cloud.AddRegistry(contoso, cloud.AddTenant(""))
	for _, row := range []struct {
		id   credhelper.Identity
		want string
	}{
		{credhelper.ServicePrincipal{}, "identity service-principal needs clientId (a GUID)"},
		{credhelper.ServicePrincipal{ClientID: guid, Secret: "x"}, "service principal needs a client ID and a tenant ID"},
		{credhelper.ServicePrincipal{TenantID: "contoso.com", ClientID: "app", Secret: "x"}, `"app" is not a GUID`},
		{credhelper.ServicePrincipal{TenantID: "common", ClientID: guid, Secret: "x"}, `"common" is not a GUID or a domain`},
		{
			credhelper.ServicePrincipal{TenantID: guid, ClientID: guid},
			"service principal needs a secret or a certificate, and not both",
		},
		{
			credhelper.ServicePrincipal{TenantID: guid, ClientID: guid, Secret: "x", CertificatePEM: []byte("x")},
			"service principal needs a secret or a certificate, and not both",
		},
		{credhelper.WorkloadIdentity{}, "workload identity needs a client ID and a tenant ID"},
		{
			credhelper.WorkloadIdentity{TenantID: guid, ClientID: guid},
			"there is no token file, and AZURE_FEDERATED_TOKEN_FILE is not set",
		},
		{
			credhelper.WorkloadIdentity{TenantID: guid, ClientID: guid, TokenFile: "token"},
			`"token" is not an absolute path`,
		},
		{
			credhelper.ManagedIdentity{ClientID: guid, ObjectID: guid},
			"set only one of clientId, objectId and resourceId",
		},
		{credhelper.ManagedIdentity{ObjectID: "mirror"}, `"mirror" is not a GUID`},
	} {
		_, _, err := credhelper.New(
			credhelper.WithIdentity(row.id), credhelper.WithEnvironment([]string{}), credhelper.WithTransport(cloud.Transport()),
		).Get(contoso)
		var failed *credhelper.Error
		if !errors.As(err, &failed) || failed.Code != "variable" ||
			!strings.HasPrefix(failed.Error(), contoso+": WithIdentity: ") || !strings.Contains(failed.Error(), row.want) {
			t.Errorf("%v: %+v, want %q", row.id, err, row.want)
		}
	}
	if n := len(cloud.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

func TestServicePrincipal_prints_no_secret(t *testing.T) {
	p := credhelper.ServicePrincipal{
		TenantID: "t", ClientID: "app", Secret: "c4n4ry", CertificatePEM: []byte("c4n4ry"), CertificatePassword: "c4n4ry",
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", p, &p)
		fmt.Fprintf(&out, verb+"\n", struct{ P credhelper.Identity }{p})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "identity", p)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "identity", p)
	if err := json.NewEncoder(&out).Encode(map[string]any{"p": p}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "c4n4ry") || !strings.Contains(out.String(), "service principal app") {
		t.Error(out.String())
	}
}
