package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/testcontainers/testcontainers-go"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// testcontainersDigest prints the digest of an image, with the credential that testcontainers-go finds for it and would
// hand to Docker's daemon.
func testcontainersDigest() int {
	ctx := context.Background()
	_, found, err := testcontainers.DockerImageAuth(ctx, os.Args[1])
	if err == nil {
		var image name.Reference
		if image, err = name.ParseReference(os.Args[1]); err == nil {
			err = printDigest(ctx, image, &authn.Basic{Username: found.Username, Password: found.Password})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func printDigest(ctx context.Context, image name.Reference, auth authn.Authenticator) error {
	m, err := remote.Head(image, remote.WithContext(ctx), remote.WithAuth(auth))
	if err == nil {
		fmt.Println(m.Digest)
	}
	return err
}

// TestTestcontainers_credHelpers names two registries of one identity, and one that pulls are anonymous from:
// testcontainers-go asks for all of them at once, and drops all credentials if one get fails.
func TestTestcontainers_credHelpers(t *testing.T) {
	t.Parallel()
	const fabrikam, public = "fabrikam.azurecr.io", "public.azurecr.io"
	f := newFixture(t)
	f.cloud.AddRegistry(fabrikam, f.tenant).Grant(f.app, azuretest.AcrPull)
	f.useServicePrincipal(clientSecret)
	f.write(filepath.Join(f.home, ".docker/config.json"),
		fmt.Sprintf(`{"credHelpers":{%q:"acr",%q:"acr",%q:"acr"}}`, host, fabrikam, public))
	f.helper("login", public, "--anonymous")
	f.must(testcontainersProgram+" {image}", app, "", "")
	f.must(testcontainersProgram+" {image}", other, "", "")
	if n := f.cloud.Seen(azuretest.KindExchange); n != 2 {
		t.Errorf("%d exchanges", n)
	}
	f.useServicePrincipal("wrong")
	if out, err := f.try(testcontainersProgram+" {image}", app, "", ""); err == nil ||
		!strings.Contains(out, "the client secret is wrong (AADSTS7000215") {
		t.Errorf("%v\n%s", err, out)
	}
}
