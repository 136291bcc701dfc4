package library

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	orasremote "oras.land/oras-go/v2/registry/remote"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	host   = "contoso.azurecr.io"
	public = "registry.example" // not an Azure registry; anonymous pull is allowed
	secret = "s3cret-of-the-application"
)

// A sandbox is a cloud with two registries and an application that may push to the first.
type sandbox struct {
	*azuretest.Cloud
	app      *azuretest.ServicePrincipal
	registry *azuretest.Registry
}

// newSandbox makes the default transports reach the sandbox, and the process's environment name the application, so
// that the document's code runs as it is. Tests that use it can't run in parallel.
func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{Cloud: azuretest.Start(t)}
	tenant := s.AddTenant("")
	s.app = tenant.AddServicePrincipal("", secret)
	s.registry = s.AddRegistry(host, tenant)
	s.registry.Grant(s.app, azuretest.AcrPush)
	s.AddRegistry(public, tenant).AnonymousPull(true)
	before, beforeRemote := http.DefaultTransport, remote.DefaultTransport
	http.DefaultTransport, remote.DefaultTransport = s.Transport(), s.Transport()
	t.Cleanup(func() { http.DefaultTransport, remote.DefaultTransport = before, beforeRemote })
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "DOCKER_CREDENTIAL_ACR_HOME": t.TempDir(), "DOCKER_CREDENTIAL_ACR_KEYRING": "none",
		"AZURE_TENANT_ID": tenant.ID(), "AZURE_CLIENT_ID": s.app.ClientID(), "AZURE_CLIENT_SECRET": secret,
	} {
		t.Setenv(name, value)
	}
	return s
}

func (s *sandbox) expectExchanges(t *testing.T, n int) {
	t.Helper()
	for _, kind := range []string{azuretest.KindEntraToken, azuretest.KindExchange} {
		if got := s.Seen(kind); got != n {
			t.Errorf("%d requests of kind %s, want %d", got, kind, n)
		}
	}
}

// push pushes an image with the keychain, and returns its reference.
func (s *sandbox) push(t *testing.T, helper *credhelper.Helper) name.Reference {
	t.Helper()
	ref := name.MustParseReference(host + "/app:1")
	image, err := random.Image(100, 1)
	if err == nil {
		err = remote.Write(ref, image, remote.WithAuthFromKeychain(keychain{helper}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestQuickStart(t *testing.T) {
	s := newSandbox(t)
	if user, password, err := quickStart(); user != credhelper.NullGUID || password == "" || err != nil {
		t.Error(user, err)
	}
	s.expectExchanges(t, 1)
}

func TestGoContainerRegistry(t *testing.T) {
	s := newSandbox(t)
	helper := credhelper.New()
	ref := s.push(t, helper)
	if _, err := pull(helper, ref); err != nil {
		t.Error(err)
	}
	s.expectExchanges(t, 1)

	missing := name.MustParseReference(public + "/app:1")
	_, byHelper := pull(helper, missing)
	_, byKeychain := remote.Image(missing, remote.WithAuthFromKeychain(keychain{helper}))
	for _, err := range []error{byHelper, byKeychain} {
		if err == nil || !strings.Contains(err.Error(), "MANIFEST_UNKNOWN") {
			t.Errorf("anonymous access: %v", err)
		}
	}

	t.Setenv("AZURE_CLIENT_SECRET", "wrong") // counts at once
	var failed *credhelper.Error
	if _, err := remote.Image(ref, remote.WithAuthFromKeychain(keychain{helper})); !errors.As(err, &failed) ||
		failed.Code != "AADSTS7000215" {
		t.Errorf("the keychain loses the error: %v", err)
	}
	if _, err := pull(helper, ref); err == nil || errors.As(err, &failed) {
		t.Errorf("NewKeychainFromHelper doesn't go on anonymously after an error, as docs/library.md says: %v", err)
	}
}

func TestORAS(t *testing.T) {
	s := newSandbox(t)
	helper := credhelper.New(credhelper.WithKeyring(credhelper.KeyringFile))
	s.push(t, helper)
	repository := newRepository(t, host)
	setClient(repository, helper)
	store := memory.New()
	pulled, err := oras.Copy(t.Context(), repository, "1", store, "1", oras.DefaultCopyOptions)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oras.Copy(t.Context(), store, "1", repository, "mine", oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
	if pushed, err := repository.Resolve(t.Context(), "mine"); err != nil || pushed.Digest != pulled.Digest {
		t.Errorf("pushed %s, %v; pulled %s", pushed.Digest, err, pulled.Digest)
	}
	s.expectExchanges(t, 1)

	// The admin user's password is no token.
	s.registry.SetAdmin("contoso", secret+"-of-the-registry")
	login := &credentials.Credentials{ServerURL: host, Username: "contoso", Secret: secret + "-of-the-registry"}
	if err := helper.AddContext(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	setClient(repository, helper)
	if _, err := repository.Resolve(t.Context(), "1"); err != nil {
		t.Error(err)
	}
	s.expectExchanges(t, 1)

	anonymous := newRepository(t, public)
	setClient(anonymous, helper)
	if _, err := anonymous.Resolve(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("anonymous access: %v", err)
	}

	if err := helper.Delete(host); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_CLIENT_SECRET", "wrong")
	setClient(repository, helper)
	var failed *credhelper.Error
	if _, err := repository.Resolve(t.Context(), "1"); !errors.As(err, &failed) || failed.Code != "AADSTS7000215" {
		t.Errorf("the error is lost: %v", err)
	}
}

func newRepository(t *testing.T, host string) *orasremote.Repository {
	t.Helper()
	repository, err := orasremote.NewRepository(host + "/app")
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func TestTokenSource(t *testing.T) {
	s := newSandbox(t)
	options := &azidentity.ClientSecretCredentialOptions{}
	options.Transport = &http.Client{Transport: s.Transport()}
	for _, row := range []struct{ secret, code string }{{secret, ""}, {"wrong", "failed"}} {
		var cred azcore.TokenCredential
		cred, err := azidentity.NewClientSecretCredential(s.app.Tenant().ID(), s.app.ClientID(), row.secret, options)
		if err != nil {
			t.Fatal(err)
		}
		helper := newTokenSourceHelper(cred)
		for range 3 {
			user, password, err := helper.Get(host)
			var failed *credhelper.Error
			var refused *azidentity.AuthenticationFailedError
			switch {
			case row.code == "" && (user != credhelper.NullGUID || password == "" || err != nil):
				t.Error(user, err)
			case row.code != "" && (!errors.As(err, &failed) || failed.Code != row.code || !errors.As(err, &refused)):
				t.Errorf("%+v", err)
			case row.code != "" && strings.Contains(err.Error(), "\n"):
				t.Errorf("more than a line: %v", err)
			}
		}
	}
	if n := s.Seen(azuretest.KindExchange); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestDocument_code proves that the Go code in docs/library.md is in this package or in the library's examples,
// where it compiles. Indentation doesn't count.
func TestDocument_code(t *testing.T) {
	var compiled string
	for _, file := range []string{"code_test.go", "../../../credential-helper/example_test.go"} {
		compiled += flatten(t, file)
	}
	document := readFile(t, "../../../docs/library.md")
	blocks := goBlock.FindAllStringSubmatch(document, -1)
	if len(blocks) < 7 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(compiled, trimLines(b[1])) {
			t.Errorf("docs/library.md: this code is not compiled anywhere:\n%s", b[1])
		}
	}
}

func flatten(t *testing.T, file string) string {
	t.Helper()
	return trimLines(readFile(t, file))
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func trimLines(code string) (trimmed string) {
	for line := range strings.Lines(code) {
		trimmed += strings.TrimSpace(line) + "\n"
	}
	return trimmed
}
