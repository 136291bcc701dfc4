package credhelper_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
)

func Example() {
	helper := credhelper.New()
	user, password, err := helper.Get("contoso.azurecr.io")
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		fmt.Println("pull anonymously")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("sign in as", user, "with a password of", len(password), "characters")
	}
}

func ExampleNew() {
	helper := credhelper.New()
	_, _, err := helper.Get("ghcr.io")
	fmt.Println(credentials.IsErrCredentialsNotFound(err))
	// Output: true
}

func ExampleNew_options() {
	helper := credhelper.New(
		credhelper.WithKeyring(credhelper.KeyringNone), // cache in memory only
		credhelper.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
	)
	_, _, err := helper.Get("ghcr.io")
	fmt.Println(credentials.IsErrCredentialsNotFound(err))
	// Output: true
}

func ExampleHelper_Get() {
	helper := credhelper.New(
		credhelper.WithEnvironment([]string{"AZURE_CLIENT_ID=7d1c0000-0000-4000-8000-00000000abcd"}),
		credhelper.WithAzureVMDetector(func() bool { return false }),
	)
	_, _, err := helper.Get("contoso.azurecr.io")
	fmt.Println(err)
	// Output: contoso.azurecr.io: AZURE_TENANT_ID and AZURE_CLIENT_SECRET are not set (AZURE_CLIENT_ID is)
}

func ExampleRefresh() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	helper := credhelper.New()
	_, password, err := helper.GetContext(ctx, "contoso.azurecr.io", credhelper.Refresh())
	fmt.Println(len(password), err)
}

func ExampleError() {
	helper := credhelper.New(
		credhelper.WithEnvironment([]string{}),
		credhelper.WithIdentity(credhelper.ServicePrincipal{TenantID: "contoso.com", ClientID: "my app", Secret: "…"}),
	)
	_, _, err := helper.Get("contoso.azurecr.io")

	var failed *credhelper.Error
	var missing *credhelper.NotFoundError
	switch {
	case err == nil:
		fmt.Println("signed in")
	case errors.As(err, &missing):
		fmt.Println("anonymous:", missing.Why)
	case errors.Is(err, credhelper.ErrUnavailable) && errors.As(err, &failed):
		fmt.Println("try again in", max(failed.RetryAfter, 10*time.Second))
	case errors.Is(err, credhelper.ErrSignInRequired):
		fmt.Println("ask the user to sign in")
	case errors.As(err, &failed):
		fmt.Printf("%s: %v\n", failed.Code, failed)
	}
	// Output: variable: contoso.azurecr.io: WithIdentity: clientId "my app" is not a GUID
}

func ExampleWithIdentity() {
	helper := credhelper.New(
		credhelper.WithIdentity(credhelper.ServicePrincipal{
			TenantID: "contoso.onmicrosoft.com",
			ClientID: "7d1c0000-0000-4000-8000-00000000abcd",
			Secret:   os.Getenv("MIRROR_SECRET"),
		}),
		credhelper.WithKeyring(credhelper.KeyringNone),
	)
	_, _, err := helper.Get("contoso.azurecr.io")
	fmt.Println(err)
}

// With azidentity, the token source has three lines:
//
//	cred, err := azidentity.NewDefaultAzureCredential(nil)
//	// …
//	source := func(ctx context.Context, audience string) (string, time.Time, error) {
//		token, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
//		return token.Token, token.ExpiresOn, err
//	}
func ExampleWithTokenSource() {
	source := func(_ context.Context, audience string) (string, time.Time, error) {
		fmt.Println("a token for", audience)
		return "", time.Time{}, errors.New("the session has ended")
	}
	helper := credhelper.New(credhelper.WithEnvironment([]string{}), credhelper.WithTokenSource(source))
	_, _, err := helper.Get("contoso.azurecr.io")
	fmt.Println(err)
	// Output:
	// a token for https://containerregistry.azure.net
	// contoso.azurecr.io: signing in as the token source: the token source failed: the session has ended
}
