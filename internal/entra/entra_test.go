package entra

import (
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// The scripts in test/script sign in with every other kind.
func TestClient_AccessToken_refuses_kinds_without_an_access_token(t *testing.T) {
	for _, kind := range []identity.Kind{
		identity.None, identity.Anonymous, identity.User, identity.RegistryUser, identity.ACRToken,
	} {
		if _, err := (Client{}).AccessToken(t.Context(), identity.Identity{Kind: kind}, registry.Cloud{}); err == nil {
			t.Errorf("a token for %q", kind)
		}
	}
}
