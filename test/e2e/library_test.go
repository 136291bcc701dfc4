package e2e

import (
	"strings"
	"testing"

	helpers "github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
)

// programFunc returns the program as clients of docker-credential-helpers run it.
func (f *fixture) programFunc() helpers.ProgramFunc {
	return helpers.NewShellProgramFuncWithEnv(f.find(program), &f.env)
}

// TestCredentialHelpersClient stores, gets, lists and erases logins with the client of docker-credential-helpers, which
// most Go programs use.
func TestCredentialHelpersClient(t *testing.T) {
	const hub = "https://index.docker.io/v1/"
	token := "eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("e30", 2000) + ".c2ln"
	for _, login := range []credentials.Credentials{
		{ServerURL: host, Username: "contoso", Secret: adminPassword},
		{ServerURL: host, Username: clientID, Secret: clientSecret},
		{ServerURL: otherHost, Username: "ci", Secret: tokenPassword},
		{ServerURL: hub, Username: "ada", Secret: "s3cret-of+Docker/Hub"},
		{ServerURL: hub + "access-token", Username: "ada", Secret: token},
		{ServerURL: hub + "refresh-token", Username: "ada", Secret: "v1.Mx..ada"},
		{ServerURL: "localhost:5000", Username: "<token>", Secret: "s3cret"},
		{ServerURL: "http://registry.example:8080", Username: nullGUID, Secret: "s3cret"},
	} {
		for store, delegated := range map[string]bool{"vault": false, "delegate": true} {
			t.Run(store+" "+login.ServerURL+" "+login.Username, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				if delegated {
					f.addDelegate()
				}
				f.storeAndErase(login)
			})
		}
	}
}

func (f *fixture) storeAndErase(login credentials.Credentials) {
	t, run := f.t, f.programFunc()
	t.Helper()
	if _, err := helpers.Get(run, login.ServerURL); !credentials.IsErrCredentialsNotFound(err) {
		t.Errorf("Get before Store: %v", err)
	}
	if err := helpers.Store(run, &login); err != nil {
		t.Fatal(err)
	}
	got, err := helpers.Get(run, login.ServerURL)
	if err != nil || *got != login {
		t.Errorf("Get did not return what was stored: %v", err)
	}
	users, err := helpers.List(run)
	if err != nil || len(users) != 1 || users[login.ServerURL] != login.Username {
		t.Errorf("List: %q, %v", users, err)
	}
	for range 2 {
		if err := helpers.Erase(run, login.ServerURL); err != nil {
			t.Errorf("Erase: %v", err)
		}
	}
	if users, err := helpers.List(run); err != nil || len(users) != 0 {
		t.Errorf("List after Erase: %q, %v", users, err)
	}
}

// TestKeychain uses the helper as a library, as go-containerregistry's keychain. It shares its tokens with the program.
func TestKeychain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.useServicePrincipal(clientSecret)
	helper := credhelper.New(credhelper.WithTransport(f.cloud.Transport()), credhelper.WithEnvironment(f.environ()))
	options := []remote.Option{
		remote.WithAuthFromKeychain(authn.NewKeychainFromHelper(helper)), remote.WithTransport(f.cloud.Transport()),
	}
	ref := name.MustParseReference(pushed)
	if err := remote.Write(ref, ociImage(), options...); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref, options...)
	if err != nil {
		t.Fatal(err)
	}
	before, errBefore := ociImage().Digest()
	after, errAfter := pulled.Digest()
	if before != after || errBefore != nil || errAfter != nil {
		t.Errorf("pushed %s (%v), pulled %s (%v)", before, errBefore, after, errAfter)
	}
	f.configure(dockerConfig)
	f.pull(clientNamed("crane"), pushed)
	f.expectExchanges(1)

	// Other registries are used anonymously.
	f.addOtherRegistry().AnonymousPull(true)
	if _, err := remote.Image(name.MustParseReference(otherHost+"/app:1"), options...); err != nil {
		t.Error(err)
	}
	f.expectSent(otherHost)
	f.expectExchanges(1)
}
