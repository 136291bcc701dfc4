package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/assertion"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const subject = "repo:contoso/app:ref:refs/heads/main"

// proofs has a row for every kind of identity that is an application with another
// proof than a secret. Each registers what Entra has to know, and returns what the
// helper knows.
var proofs = []struct {
	what  string
	kind  identity.Kind
	prove func(*testing.T, *azuretest.Cloud, *azuretest.ServicePrincipal, *identity.Identity)
	kinds []string // of requests, in order
}{
	{"a certificate", identity.ServicePrincipal, certificate, []string{azuretest.KindOpenID, azuretest.KindEntraToken}},
	{"a file", identity.WorkloadIdentity, func(t *testing.T, c *azuretest.Cloud, p *azuretest.ServicePrincipal, id *identity.Identity) {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(trusted(c, p).Token(subject, azuretest.TokenExchange, time.Hour)), 0o600); err != nil {
			t.Fatal(err)
		}
		id.Federation = &identity.Federation{File: path}
	}, []string{azuretest.KindOpenID, azuretest.KindEntraToken}},
	{"a variable", identity.FederatedToken, func(_ *testing.T, c *azuretest.Cloud, p *azuretest.ServicePrincipal, id *identity.Identity) {
		id.Federation = &identity.Federation{Token: secret.New(trusted(c, p).Token(subject, azuretest.TokenExchange, time.Hour))}
	}, []string{azuretest.KindOpenID, azuretest.KindEntraToken}},
	{"GitHub Actions", identity.GitHubActions, github, []string{azuretest.KindOpenID, azuretest.KindGitHubToken, azuretest.KindEntraToken}},
	{"Azure Pipelines", identity.AzurePipelines, pipelines, []string{azuretest.KindOpenID, azuretest.KindPipelinesToken, azuretest.KindEntraToken}},
	{"identity bindings", identity.WorkloadIdentity, func(_ *testing.T, c *azuretest.Cloud, p *azuretest.ServicePrincipal, id *identity.Identity) {
		cluster, proxy := c.AddIssuer("https://oidc.prod-aks.azure.com/cluster/"), c.AddTokenProxy()
		proxy.Bind(p, cluster, subject)
		id.Federation = &identity.Federation{
			Token: secret.New(cluster.Token(subject, azuretest.IdentityBinding, time.Hour)),
			Proxy: identity.TokenProxy{URL: proxy.URL(), ServerName: proxy.ServerName(), CAData: string(proxy.CAPEM())},
		}
	}, []string{azuretest.KindTokenProxy, azuretest.KindTokenProxy}},
}

func trusted(c *azuretest.Cloud, p *azuretest.ServicePrincipal) *azuretest.Issuer {
	issuer := c.AddIssuer("https://gitlab.com")
	p.AddFederatedCredential(issuer.URL(), subject, "")
	return issuer
}

func github(_ *testing.T, c *azuretest.Cloud, p *azuretest.ServicePrincipal, id *identity.Identity) {
	job := c.AddGitHubActions().Job(subject)
	p.AddFederatedCredential(azuretest.GitHubIssuer, subject, "")
	id.Federation = &identity.Federation{RequestURL: job.RequestURL(), RequestToken: secret.New(job.RequestToken())}
}

func pipelines(_ *testing.T, c *azuretest.Cloud, p *azuretest.ServicePrincipal, id *identity.Identity) {
	organization := c.AddAzurePipelines("contoso")
	job := organization.Job()
	connection, about := job.AddServiceConnection("registry")
	p.AddFederatedCredential(organization.Issuer(), about, "")
	id.Federation = &identity.Federation{RequestURL: job.RequestURL(), RequestToken: secret.New(job.RequestToken()), Connection: connection}
}

func certificate(t *testing.T, _ *azuretest.Cloud, p *azuretest.ServicePrincipal, id *identity.Identity) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.AddCertificate(cert)
	content, err := (&assertion.Certificate{Chain: []*x509.Certificate{cert}, Key: key}).PEM()
	if err != nil {
		t.Fatal(err)
	}
	id.Certificate = &identity.Certificate{Content: content}
}

func TestEveryProofIsAccepted(t *testing.T) {
	for _, row := range proofs {
		t.Run(row.what, func(t *testing.T) {
			cloud := azuretest.Start(t)
			app := cloud.AddTenant("").AddServicePrincipal("", "")
			id := principal(app, "")
			id.Kind = row.kind
			row.prove(t, cloud, app, &id)
			client := newClient(cloud)
			log := &strings.Builder{}
			client.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			token, err := client.AccessToken(t.Context(), id, cloudOf(t, "contoso.azurecr.io"))
			if err != nil || token.Value.IsZero() || time.Until(token.Expires) < 50*time.Minute {
				t.Fatalf("%v %v", token.Expires, err)
			}
			var kinds []string
			for _, r := range cloud.Requests() {
				kinds = append(kinds, r.Kind)
			}
			if !slices.Equal(kinds, row.kinds) || len(cloud.Leaks()) > 0 || len(cloud.ForeignHosts()) > 0 {
				t.Errorf("asked %v, leaks %v, foreign hosts %v", kinds, cloud.Leaks(), cloud.ForeignHosts())
			}
			if cloud.FindCanary(log.String()) != "" {
				t.Errorf("a secret in the log: %s", log)
			}
		})
	}
}

// TestLongBuildsGoOn signs in again and again over a time in which every token of
// a CI system expires: each sign-in has a new one.
func TestLongBuildsGoOn(t *testing.T) {
	for _, row := range []struct {
		prove func(*testing.T, *azuretest.Cloud, *azuretest.ServicePrincipal, *identity.Identity)
		kind  string
	}{{github, azuretest.KindGitHubToken}, {pipelines, azuretest.KindPipelinesToken}} {
		t.Run(row.kind, func(t *testing.T) {
			cloud := azuretest.Start(t)
			app := cloud.AddTenant("").AddServicePrincipal("", "")
			id := principal(app, "")
			row.prove(t, cloud, app, &id)
			client := newClient(cloud)
			seen := map[string]bool{}
			for i := range 4 {
				if _, err := client.AccessToken(t.Context(), id, cloudOf(t, "contoso.azurecr.io")); err != nil {
					t.Fatalf("after %d hours: %v", i, err)
				}
				cloud.AdvanceClock(time.Hour)
			}
			for _, r := range cloud.Requests() {
				if r.Kind == azuretest.KindEntraToken {
					seen[r.Form.Get("client_assertion")] = true
				}
			}
			if len(seen) != 4 || cloud.Seen(row.kind) != 4 {
				t.Errorf("%d tokens from %d requests for 4 sign-ins", len(seen), cloud.Seen(row.kind))
			}
		})
	}
}

// TestAProofThatIsMissing: what went wrong before Entra was asked isn't blamed on
// Entra.
func TestAProofThatIsMissing(t *testing.T) {
	cloud := azuretest.Start(t)
	app := cloud.AddTenant("").AddServicePrincipal("", "")
	for code, change := range map[string]func(*identity.Identity){
		assertion.CodeMissing: func(id *identity.Identity) { id.Federation = &identity.Federation{File: "/no/such/file"} },
		assertion.CodeProxy: func(id *identity.Identity) {
			id.Federation = &identity.Federation{Proxy: identity.TokenProxy{URL: "http://x"}}
		},
		assertion.CodePassword: func(id *identity.Identity) { id.Certificate = &identity.Certificate{Content: secret.New(encrypted)} },
	} {
		id := principal(app, "")
		change(&id)
		_, err := newClient(cloud).AccessToken(t.Context(), id, cloudOf(t, "contoso.azurecr.io"))
		if failure.Code(err) != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	if cloud.Seen(azuretest.KindEntraToken) > 0 {
		t.Error("Entra was asked")
	}
}

const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
