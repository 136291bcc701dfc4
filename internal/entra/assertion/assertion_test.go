package assertion

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// A stage is a cloud with one application that has no proof yet.
type stage struct {
	*azuretest.Cloud
	t      *testing.T
	client Client
	app    *azuretest.ServicePrincipal
	row    registry.Cloud
	log    *strings.Builder
}

func newStage(t *testing.T, host string) *stage {
	t.Helper()
	cloud := azuretest.Start(t)
	h, err := registry.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	transport := cloud.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return &stage{
		Cloud: cloud, t: t, row: h.Cloud(), log: log,
		client: Client{Transport: transport, Now: cloud.Now, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
		app:    cloud.AddTenantAt(h.Cloud().Authority, "").AddServicePrincipal("", ""),
	}
}

func (s *stage) identity(kind identity.Kind, fed identity.Federation) identity.Identity {
	return identity.Identity{Kind: kind, Tenant: s.app.Tenant().ID(), ClientID: s.app.ClientID(), Audience: registry.Audience, Federation: &fed}
}

// signIn is what package entra does, without its translation.
func (s *stage) signIn(id identity.Identity) error {
	s.t.Helper()
	credential, options, err := s.client.Credential(s.t.Context(), id, s.row)
	if err != nil {
		return err
	}
	http, err := s.client.HTTP(id, s.row)
	if err != nil {
		return err
	}
	options = append(options, confidential.WithHTTPClient(http), confidential.WithInstanceDiscovery(false))
	client, err := confidential.New("https://"+s.row.Authority+"/"+id.Tenant, id.ClientID, credential, options...)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = client.AcquireTokenByCredential(s.t.Context(), []string{id.Audience + "/.default"})
	return err
}

// expect checks a code, and that nothing secret is said anywhere; "" means that all
// went well.
func (s *stage) expect(err error, code string) {
	s.t.Helper()
	var coded interface{ Code() string }
	switch {
	case code == "" && err != nil:
		s.t.Error(err)
	case code != "" && (!errors.As(err, &coded) || coded.Code() != code):
		s.t.Errorf("got %v, want %s", err, code)
	}
	if said := s.log.String() + errorText(err); s.FindCanary(said) != "" || strings.Contains(said, "SECRET") {
		s.t.Errorf("said too much: %s", said)
	}
	if leaks := s.Leaks(); len(leaks) > 0 {
		s.t.Errorf("leaks: %+v", leaks)
	}
}

const subject = "system:serviceaccount:ci:builder"

func (s *stage) file(content string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestEveryCloudHasItsAudience: what the issuer is asked for is what the cloud's
// Entra wants.
func TestEveryCloudHasItsAudience(t *testing.T) {
	for host, audience := range map[string]string{
		"contoso.azurecr.io": azuretest.TokenExchange, "contoso.azurecr.cn": azuretest.TokenExchangeChina,
		"contoso.azurecr.us": azuretest.TokenExchangeUSGov, "contoso.azurecr.sovcloud-azure.fr": azuretest.TokenExchange,
	} {
		t.Run(host, func(t *testing.T) {
			s := newStage(t, host)
			const subject = "repo:contoso/app:environment:production"
			job := s.AddGitHubActions().Job(subject)
			s.app.AddFederatedCredential(azuretest.GitHubIssuer, subject, audience)
			s.expect(s.signIn(s.identity(identity.GitHubActions, github(job))), "")
			if s.Seen(azuretest.KindGitHubToken) != 1 || len(s.Requests()) != 3 {
				t.Errorf("%d requests", len(s.Requests()))
			}
		})
	}
}

func github(job *azuretest.Job) identity.Federation {
	return identity.Federation{RequestURL: job.RequestURL(), RequestToken: secret.New(job.RequestToken())}
}

func TestCertificatesSignIn(t *testing.T) {
	for _, row := range []struct {
		what      string
		register  func(*azuretest.ServicePrincipal, hierarchy)
		sendChain bool
		advance   time.Duration
		code      string
	}{
		{"registered", func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificate(h.leaf) }, false, 0, ""},
		{"registered, with its chain", func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificate(h.leaf) }, true, 0, ""},
		{"by subject", func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificateSubject("app.contoso.com", h.root) }, true, 0, ""},
		{"by subject, without its chain", func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificateSubject("app.contoso.com", h.root) }, false, 0, "AADSTS700027"},
		{"another's", func(p *azuretest.ServicePrincipal, h hierarchy) { p.AddCertificate(h.middle) }, false, 0, "AADSTS700027"},
		{"expired", func(*azuretest.ServicePrincipal, hierarchy) {}, false, 2 * time.Hour, CodeOutdated},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t, "contoso.azurecr.io")
			h := newHierarchy(t)
			row.register(s.app, h)
			s.AdvanceClock(row.advance)
			content, err := (&Certificate{Key: h.key, Chain: chain(h.leaf, []*x509.Certificate{h.root, h.middle})}).PEM()
			if err != nil {
				t.Fatal(err)
			}
			id := s.identity(identity.ServicePrincipal, identity.Federation{})
			id.Federation = nil
			id.Certificate = &identity.Certificate{Content: content, SendChain: row.sendChain}
			s.expect(s.signIn(id), row.code)
			if row.code == CodeOutdated && len(s.Requests()) > 0 {
				t.Error("something was sent")
			}
		})
	}
}

// TestTokensInFilesAndVariables covers what is refused before Entra is asked, and
// that Entra's own refusals arrive.
func TestTokensInFilesAndVariables(t *testing.T) {
	for _, row := range []struct {
		what    string
		token   func(cluster *azuretest.Issuer) string
		code    string
		asked   int // at the token endpoint
		minutes time.Duration
	}{
		{"good", func(c *azuretest.Issuer) string { return c.Token(subject, azuretest.TokenExchange, time.Hour) }, "", 1, 0},
		{"white space around", func(c *azuretest.Issuer) string {
			return "\n " + c.Token(subject, azuretest.TokenExchange, time.Hour) + "\r\n"
		}, "", 1, 0},
		{"a clock that is a little fast", func(c *azuretest.Issuer) string { return c.Token(subject, azuretest.TokenExchange, time.Hour) }, "", 1, 64},
		{"expired", func(c *azuretest.Issuer) string { return c.Token(subject, azuretest.TokenExchange, time.Hour) }, CodeExpired, 0, 66},
		{"not a token", func(*azuretest.Issuer) string { return "SECRET" }, CodeNotToken, 0, 0},
		{"parts of a token", func(*azuretest.Issuer) string { return "SECRET.SECRET.SECRET" }, CodeNotToken, 0, 0},
		{"an issuer nobody trusts", func(c *azuretest.Issuer) string { return c.Token(subject, azuretest.TokenExchangeChina, time.Hour) }, "AADSTS700212", 1, 0},
		{"another subject", func(c *azuretest.Issuer) string { return c.Token("SECRET", azuretest.TokenExchange, time.Hour) }, "AADSTS700213", 1, 0},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t, "contoso.azurecr.io")
			cluster := s.AddIssuer("https://oidc.prod-aks.azure.com/cluster/")
			s.app.AddFederatedCredential(cluster.URL(), subject, "")
			token := row.token(cluster)
			s.AdvanceClock(row.minutes * time.Minute)
			file := s.file(token)
			for _, fed := range []identity.Federation{{File: file}, {Token: secret.New(token)}} {
				s.Reset()
				err := s.signIn(s.identity(identity.WorkloadIdentity, fed))
				s.expect(err, row.code)
				if n := s.Seen(azuretest.KindEntraToken); n != row.asked {
					t.Errorf("the token endpoint was asked %d times", n)
				}
				if fed.File != "" && row.code == CodeExpired && !strings.HasPrefix(errorText(err), "the token in "+file+" expired at ") {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	s := newStage(t, "contoso.azurecr.io")
	for _, row := range []struct{ path, why string }{
		{filepath.Join(t.TempDir(), "none"), " does not exist"},
		{s.file(" \n"), " is empty"},
		{s.file(strings.Repeat("SECRET", maxToken/6+1)), " is too long"},
		{t.TempDir(), " is not a regular file"},
	} {
		err := s.signIn(s.identity(identity.WorkloadIdentity, identity.Federation{File: row.path}))
		s.expect(err, CodeMissing)
		var failed *Error
		if !errors.As(err, &failed) || failed.Error() != row.path+row.why {
			t.Errorf("%v, want %s", err, row.why)
		}
	}
}

// TestAReplacedFileCounts: Kubernetes replaces the file, through a symbolic link,
// while we run.
func TestAReplacedFileCounts(t *testing.T) {
	s := newStage(t, "contoso.azurecr.io")
	cluster := s.AddIssuer("https://oidc.prod-aks.azure.com/cluster/")
	s.app.AddFederatedCredential(cluster.URL(), subject, "")
	path := s.file(cluster.Token(subject, azuretest.TokenExchange, time.Hour))
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	id := s.identity(identity.WorkloadIdentity, identity.Federation{File: link})
	for range 3 {
		s.expect(s.signIn(id), "")
		s.AdvanceClock(50 * time.Minute)
		if err := os.WriteFile(path, []byte(cluster.Token(subject, azuretest.TokenExchange, time.Hour)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestManagedIdentityAsProof(t *testing.T) {
	s := newStage(t, "contoso.azurecr.cn")
	vm := s.app.Tenant().AddServicePrincipal("", "")
	s.app.AddManagedIdentityCredential(vm)
	id := s.identity(identity.FederatedToken, identity.Federation{ManagedIdentity: vm.ClientID()})
	s.expect(s.signIn(id), CodeMissing)
	s.client.Managed = func(_ context.Context, clientID, audience string) (secret.Token, error) {
		if clientID != vm.ClientID() {
			t.Errorf("client %s", clientID)
		}
		return secret.Token{Value: secret.New(vm.AccessToken(audience, 0))}, nil
	}
	s.expect(s.signIn(id), "")
	for code, cause := range map[string]error{CodeManaged: errors.New("no such identity"), guard.CodeTimeout: &guard.Error{Hint: guard.CodeTimeout}} {
		s.client.Managed = func(context.Context, string, string) (secret.Token, error) { return secret.Token{}, cause }
		s.expect(s.signIn(id), code)
	}
}

func TestNothingConfigured(t *testing.T) {
	s := newStage(t, "contoso.azurecr.io")
	s.expect(s.signIn(s.identity(identity.FederatedToken, identity.Federation{})), CodeMissing)
	if _, _, err := s.client.Credential(t.Context(), identity.Identity{Kind: identity.ServicePrincipal}, s.row); err == nil {
		t.Error("no secret")
	}
}
