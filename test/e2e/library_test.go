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

// programFunc is the built program as docker-credential-helpers' clients run it.
func (s *stage) programFunc() helpers.ProgramFunc {
	return helpers.NewShellProgramFuncWithEnv(s.find(program), &s.env)
}

// docker-credential-helpers' own client, which most Go clients use, speaks with
// the program in both directions.
func TestCredentialHelpersClient(t *testing.T) {
	for _, login := range []credentials.Credentials{
		{ServerURL: host, Username: "contoso", Secret: adminPassword},
		{ServerURL: host, Username: clientID, Secret: clientSecret},
		{ServerURL: public, Username: "ci", Secret: tokenPassword},
		{ServerURL: "https://index.docker.io/v1/", Username: "ada", Secret: "s3cret-of+Docker/Hub"},
		{ServerURL: "https://index.docker.io/v1/access-token", Username: "ada", Secret: "eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("e30", 2000) + ".c2ln"},
		{ServerURL: "https://index.docker.io/v1/refresh-token", Username: "ada", Secret: "v1.Mx..ada"},
		{ServerURL: "localhost:5000", Username: "<token>", Secret: "s3cret"},
		{ServerURL: "http://registry.example:8080", Username: nullGUID, Secret: "s3cret"},
	} {
		t.Run(login.ServerURL+" "+login.Username, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.speak(login)
		})
		t.Run("delegate "+login.ServerURL+" "+login.Username, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.delegate()
			s.speak(login)
		})
	}
}

// speak stores, gets, lists and erases a login.
func (s *stage) speak(login credentials.Credentials) {
	t := s.t
	t.Helper()
	run := s.programFunc()
	if _, err := helpers.Get(run, login.ServerURL); !credentials.IsErrCredentialsNotFound(err) {
		t.Errorf("Get of nothing: %v", err)
	}
	if err := helpers.Store(run, &login); err != nil {
		t.Fatal(err)
	}
	got, err := helpers.Get(run, login.ServerURL)
	if err != nil || *got != login {
		t.Errorf("Get: %v, and not what was stored", err)
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

// An error reaches a client of docker-credential-helpers as the sentence.
func TestCredentialHelpersClientError(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.signIn("wrong~secret")
	_, err := helpers.Get(s.programFunc(), host)
	if err == nil || credentials.IsErrCredentialsNotFound(err) || !strings.Contains(err.Error(), wrongSecret) {
		t.Errorf("Get with a wrong secret: %v", err)
	}
}

// As a library, the helper is go-containerregistry's keychain, and shares its
// tokens with the program.
func TestKeychain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.signIn(clientSecret)
	helper := credhelper.New(credhelper.WithTransport(s.cloud.Transport()), credhelper.WithEnvironment(s.environ()))
	options := []remote.Option{
		remote.WithAuthFromKeychain(authn.NewKeychainFromHelper(helper)), remote.WithTransport(s.cloud.Transport()),
	}
	ref := name.MustParseReference(pushed)
	if err := remote.Write(ref, ociImage(), options...); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Image(ref, options...); err != nil {
		t.Fatal(err)
	}
	s.configure(dockerConfig)
	s.pull(clientNamed("crane"), pushed)
	s.exchanges(1)

	// Other registries are pulled from anonymously.
	r := s.cloud.AddRegistry(public, s.tenant)
	r.Backend = s.backend
	r.AnonymousPull(true)
	if _, err := remote.Image(name.MustParseReference(public+"/app:1"), options...); err != nil {
		t.Error(err)
	}
	s.sentTo(public)
	s.exchanges(1)
}
