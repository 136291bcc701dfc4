package clientcredential

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	contoso = "contoso.azurecr.io"
	// subject is what the application's federated credentials trust.
	subject = "repo:contoso/app:ref:refs/heads/main"
)

// issuers is a cloud with one issuer of each kind. All tests share it, because a cloud takes long to make.
type issuers struct {
	*azuretest.Cloud
	cluster   *azuretest.Issuer
	gitHub    *azuretest.GitHubActions
	pipelines *azuretest.AzurePipelines
}

var shared = sync.OnceValue(func() issuers {
	cloud := must(azuretest.New())
	return issuers{
		cloud, cloud.AddIssuer("https://oidc.prod-aks.azure.com/cluster/"), cloud.AddGitHubActions(),
		cloud.AddAzurePipelines("contoso"),
	}
})

// A fixture has an application of its own, without a credential, in a cloud where nothing has happened yet.
type fixture struct {
	issuers
	t      *testing.T
	client Client
	app    *azuretest.ServicePrincipal
	row    registry.Cloud
	log    *strings.Builder
}

func newFixture(t *testing.T, host string) *fixture {
	t.Helper()
	f := &fixture{issuers: shared(), t: t, row: must(registry.ParseHost(host)).Cloud(), log: &strings.Builder{}}
	f.Reset()
	f.ClearFaults()
	f.SetClock(nil)
	transport := f.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	f.client = Client{
		Transport: transport, Now: f.Now,
		Log: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	f.app = f.AddTenantAt(f.row.Authority, "").AddServicePrincipal("", "")
	return f
}

func (f *fixture) identity(kind identity.Kind) identity.Identity {
	return identity.Identity{
		Kind: kind, Tenant: f.app.Tenant().ID(), ClientID: f.app.ClientID(), Audience: registry.Audience,
	}
}

func (f *fixture) federated(kind identity.Kind, federation identity.Federation) identity.Identity {
	id := f.identity(kind)
	id.Federation = &federation
	return id
}

// gitHubJob returns the federation of a job of GitHub Actions, which the application trusts for an audience.
func (f *fixture) gitHubJob(audience string) (*azuretest.Job, identity.Federation) {
	job := f.gitHub.Job(subject)
	f.app.AddFederatedCredential(azuretest.GitHubIssuer, subject, audience)
	return job, identity.Federation{RequestURL: job.RequestURL(), RequestToken: secret.New(job.RequestToken())}
}

// pipelinesJob returns the federation of a job of Azure Pipelines, whose service connection the application trusts.
func (f *fixture) pipelinesJob() (*azuretest.Job, identity.Federation) {
	job := f.pipelines.Job()
	connection, subject := job.AddServiceConnection("registry")
	f.app.AddFederatedCredential(f.pipelines.Issuer(), subject, "")
	return job, identity.Federation{
		RequestURL: job.RequestURL(), RequestToken: secret.New(job.RequestToken()), Connection: connection,
	}
}

// file returns a symbolic link to a file, as Kubernetes has.
func (f *fixture) file(content string) string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if runtime.GOOS == "windows" { // where a link needs a privilege
		return path
	}
	if err := os.Symlink(path, path+".link"); err != nil {
		f.t.Fatal(err)
	}
	return path + ".link"
}

// expect signs in and checks the code of the error, "" for success; and that neither the error nor the log has a
// secret.
func (f *fixture) expect(id identity.Identity, code fault.Code) error {
	f.t.Helper()
	token, err := f.client.AccessToken(f.t.Context(), id, f.row)
	output := f.log.String()
	switch {
	case err != nil:
		output += err.Error()
		if code == "" || fault.CodeOf(err) != code {
			f.t.Errorf("%q: %v, want %q", fault.CodeOf(err), err, code)
		}
	case code != "":
		f.t.Errorf("no error, want %s", code)
	default:
		if left := time.Until(token.Expires); token.Value.IsZero() || left < 50*time.Minute {
			f.t.Errorf("a token with %v left", left)
		}
	}
	if f.FindCanary(output) != "" || strings.Contains(output, "SECRET") {
		f.t.Errorf("error or log quotes a secret: %s", output)
	}
	if len(f.Leaks()) > 0 || len(f.ForeignHosts()) > 0 {
		f.t.Errorf("leaks %+v, foreign hosts %v", f.Leaks(), f.ForeignHosts())
	}
	return err
}

// TestClient_AccessToken_in_every_cloud checks that only the authority of the registry's cloud gets the secret, and
// that the issuer is asked for the audience of that cloud.
func TestClient_AccessToken_in_every_cloud(t *testing.T) {
	for host, audience := range map[string]string{
		contoso:                             azuretest.TokenExchange,
		"contoso.azurecr.cn":                azuretest.TokenExchangeChina,
		"contoso.azurecr.us":                azuretest.TokenExchangeUSGov,
		"contoso.azurecr.de":                azuretest.TokenExchange,
		"contoso.azurecr.sovcloud-azure.fr": azuretest.TokenExchange,
		"contoso.azurecr.sovcloud-azure.de": azuretest.TokenExchange,
		"contoso.azurecr-test.io":           azuretest.TokenExchange,
	} {
		t.Run(host, func(t *testing.T) {
			f := newFixture(t, host)
			f.app.AddSecret("s3cret")
			id := f.identity(identity.ServicePrincipal)
			id.Secret = secret.New("s3cret")
			f.expect(id, "")
			_, federation := f.gitHubJob(audience)
			f.expect(f.federated(identity.GitHubActions, federation), "")
			n := f.Count("", f.row.Authority, "")
			if n != 2 || f.Seen(azuretest.KindGitHubToken) != 1 || len(f.Requests()) != 3 {
				t.Errorf("%d requests, %d of them to %s", len(f.Requests()), n, f.row.Authority)
			}
		})
	}
}

func TestClient_AccessToken_with_a_certificate(t *testing.T) {
	registered := func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificate(h.leaf) }
	another := func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificate(h.middle) }
	bySubject := func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificateSubject("app.contoso.com", h.root) }
	for _, row := range []struct {
		what      string
		register  func(*azuretest.ServicePrincipal, hierarchy)
		sendChain bool
		advance   time.Duration
		code      fault.Code
	}{
		{"registered", registered, false, 0, ""},
		{"registered, with its chain", registered, true, 0, ""},
		{"by subject", bySubject, true, 0, ""},
		{"by subject, without its chain", bySubject, false, 0, "AADSTS700027"},
		{"another is registered", another, false, 0, "AADSTS700027"},
		{"expired", registered, false, 2 * time.Hour, fault.CertificateOutdated},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t, contoso)
			h := newHierarchy()
			row.register(f.app, h)
			f.AdvanceClock(row.advance)
			cert := &Certificate{Key: h.key, Chain: chain(h.leaf, []*x509.Certificate{h.root, h.middle})}
			id := f.identity(identity.ServicePrincipal)
			id.Certificate = &identity.Certificate{Content: must(cert.PEM()), SendChain: row.sendChain}
			f.expect(id, row.code)
			if row.code == fault.CertificateOutdated && len(f.Requests()) > 0 {
				t.Error("a request was sent")
			}
		})
	}
}

func TestClient_AccessToken_with_a_managed_identity(t *testing.T) {
	f := newFixture(t, "contoso.azurecr.cn")
	vm := f.app.Tenant().AddServicePrincipal("", "")
	f.app.AddManagedIdentityCredential(vm)
	id := f.federated(identity.FederatedToken, identity.Federation{ManagedIdentity: vm.ClientID()})
	id.Endpoint = identity.AppService
	f.client.ManagedIdentity = func(_ context.Context, got identity.Identity, audience string) (secret.Token, error) {
		want := identity.Identity{Kind: identity.ManagedIdentity, ClientID: vm.ClientID(), Endpoint: identity.AppService}
		if got != want {
			t.Errorf("a token of %+v", got)
		}
		return secret.Token{Value: secret.New(vm.AccessToken(audience, 0))}, nil
	}
	f.expect(id, "")
	for code, cause := range map[fault.Code]error{
		fault.FederatedTokenManaged: errors.New("no such identity"),
		fault.EndpointThrottled:     &fault.Error{Code: fault.EndpointThrottled, RetryAfter: time.Minute},
	} {
		f.client.ManagedIdentity = func(context.Context, identity.Identity, string) (secret.Token, error) {
			return secret.Token{}, cause
		}
		if err := f.expect(id, code); !errors.Is(err, cause) || fault.RetryAfter(err) != fault.RetryAfter(cause) ||
			!strings.Contains(err.Error(), vm.ClientID()) {
			t.Errorf("%v, after %v", err, fault.RetryAfter(err))
		}
	}
}

// TestClient_AccessToken_says_what_is_around_a_wrong_secret keeps Entra's number, and the advice is about the cause.
func TestClient_AccessToken_says_what_is_around_a_wrong_secret(t *testing.T) {
	const advice = "Remove the quotes or other characters around the secret, and try again " +
		"(docker run --env-file does not remove them)"
	f := newFixture(t, contoso)
	f.app.AddSecret("s3cret")
	for value, want := range map[string]string{
		`"s3cret"`: "the client secret is wrong: it is in quotes (AADSTS7000215",
		"s3cret\r": "the client secret is wrong: it ends with a line break (AADSTS7000215",
		" s3cret":  "the client secret is wrong: it begins with a space (AADSTS7000215",
		"s3cret2":  "the client secret is wrong (AADSTS7000215",
	} {
		id := f.identity(identity.ServicePrincipal)
		id.Secret = secret.New(value)
		err := f.expect(id, fault.AADSTS(wrongSecret))
		isAdvised := fault.Context{}.Advice(err) == advice
		if err == nil || !strings.HasPrefix(err.Error(), want) || isAdvised != (value != "s3cret2") {
			t.Errorf("%q: %v. %s", value, err, fault.Context{}.Advice(err))
		}
	}
}

// TestClient_AccessToken_without_a_credential checks that Entra isn't asked, nor named as the cause.
func TestClient_AccessToken_without_a_credential(t *testing.T) {
	const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
	f := newFixture(t, contoso)
	f.expect(f.federated(identity.FederatedToken, identity.Federation{}), fault.FederatedTokenMissing)
	f.expect(identity.Identity{
		Certificate: &identity.Certificate{Content: secret.New(encrypted)},
	}, fault.CertificatePassword)
	for want, id := range map[string]identity.Identity{
		"there is no client secret":                   f.identity(identity.ServicePrincipal),
		`tenant "" can't be used in the public cloud`: {Secret: secret.New("s3cret")},
	} {
		if _, err := f.client.AccessToken(t.Context(), id, f.row); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if f.Seen(azuretest.KindEntraToken) > 0 {
		t.Error("the token endpoint was asked")
	}
}

// TestClient_AccessToken_canceled has each server that may hang.
func TestClient_AccessToken_canceled(t *testing.T) {
	f := newFixture(t, contoso)
	f.Fault("", "*", azuretest.Fault{Hang: true})
	job := f.gitHub.Job(subject)
	for what, id := range map[string]identity.Identity{
		"a secret": {Secret: secret.New("s3cret"), Tenant: f.app.Tenant().ID(), ClientID: f.app.ClientID()},
		"GitHub": f.federated(identity.GitHubActions, identity.Federation{
			RequestURL: job.RequestURL(), RequestToken: secret.New(job.RequestToken()),
		}),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := f.client.AccessToken(ctx, id, f.row); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
