package e2e

import (
	"fmt"
	"log"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// Push to and pull from an Azure registry with go-containerregistry. Outside a
// test New needs no options, and remote no transport.
func Example_goContainerRegistry() {
	cloud, home := exampleCloud()
	defer cloud.Close()
	defer os.RemoveAll(home)

	helper := credhelper.New(
		credhelper.WithTransport(cloud.Transport()),
		credhelper.WithEnvironment([]string{
			"DOCKER_CREDENTIAL_ACR_HOME=" + home,
			"DOCKER_CREDENTIAL_ACR_KEYRING=file",
			"AZURE_TENANT_ID=11111111-2222-3333-4444-555555555555",
			"AZURE_CLIENT_ID=7d1c0000-0000-4000-8000-00000000abcd",
			"AZURE_CLIENT_SECRET=a-secret",
		}),
	)
	keychain := authn.NewKeychainFromHelper(helper)

	ref := name.MustParseReference("contoso.azurecr.io/team/app:v1")
	pushed, err := random.Image(1024, 1)
	if err != nil {
		log.Fatal(err)
	}
	options := []remote.Option{remote.WithAuthFromKeychain(keychain), remote.WithTransport(cloud.Transport())}
	if err := remote.Write(ref, pushed, options...); err != nil {
		log.Fatal(err)
	}
	pulled, err := remote.Image(ref, options...)
	if err != nil {
		log.Fatal(err)
	}
	before, _ := pushed.Digest()
	after, _ := pulled.Digest()
	fmt.Println("pulled what was pushed:", before == after)
	fmt.Println("sign-ins:", cloud.Seen(azuretest.KindEntraToken), "exchanges:", cloud.Seen(azuretest.KindExchange))
	// Output:
	// pulled what was pushed: true
	// sign-ins: 1 exchanges: 1
}

// exampleCloud plays Azure for the example, with the one registry and the one
// service principal that it names.
func exampleCloud() (cloud *azuretest.Cloud, home string) {
	cloud, err := azuretest.New()
	if err != nil {
		log.Fatal(err)
	}
	tenant := cloud.AddTenant("11111111-2222-3333-4444-555555555555")
	app := tenant.AddServicePrincipal("7d1c0000-0000-4000-8000-00000000abcd", "a-secret")
	registry := cloud.AddRegistry("contoso.azurecr.io", tenant)
	registry.Grant(app, azuretest.AcrPush)
	registry.Backend = newBackend()
	if home, err = os.MkdirTemp("", "acr-example-"); err != nil {
		log.Fatal(err)
	}
	return cloud, home
}
