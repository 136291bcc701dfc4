package credhelper_test

import (
	"fmt"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
)

func ExampleNew() {
	helper := credhelper.New()
	_, _, err := helper.Get("ghcr.io")
	fmt.Println(credentials.IsErrCredentialsNotFound(err))
	// Output: true
}
