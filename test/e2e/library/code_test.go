// Package library tests docs/library.md: the document's code compiles, and works against the sandbox.
package library

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	orasremote "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
)

// The code in this file is in docs/library.md, too: change both.

func quickStart() (string, string, error) {
	helper := credhelper.New()
	user, password, err := helper.Get("contoso.azurecr.io")
	return user, password, err
}

func newTokenSourceHelper(cred azcore.TokenCredential) *credhelper.Helper {
	source := func(ctx context.Context, audience string) (string, time.Time, error) {
		token, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
		return token.Token, token.ExpiresOn, err
	}
	helper := credhelper.New(credhelper.WithTokenSource(source))
	return helper
}

func pull(helper *credhelper.Helper, ref name.Reference) (v1.Image, error) {
	keychain := authn.NewKeychainFromHelper(helper)
	image, err := remote.Image(ref, remote.WithAuthFromKeychain(keychain))
	return image, err
}

type keychain struct{ helper *credhelper.Helper }

func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	user, password, err := k.helper.Get(target.RegistryStr())
	var missing *credhelper.NotFoundError
	switch {
	case errors.As(err, &missing):
		return authn.Anonymous, nil
	case err != nil:
		return nil, err
	}
	return &authn.Basic{Username: user, Password: password}, nil
}

func credential(helper *credhelper.Helper) auth.CredentialFunc {
	return func(ctx context.Context, server string) (auth.Credential, error) {
		user, password, err := helper.GetContext(ctx, server)
		var missing *credhelper.NotFoundError
		switch {
		case errors.As(err, &missing):
			return auth.EmptyCredential, nil // anonymous
		case err != nil:
			return auth.EmptyCredential, err
		case user == credhelper.NullGUID:
			return auth.Credential{RefreshToken: password}, nil
		}
		return auth.Credential{Username: user, Password: password}, nil
	}
}

func setClient(repository *orasremote.Repository, helper *credhelper.Helper) {
	repository.Client = &auth.Client{Cache: auth.NewCache(), Credential: credential(helper)}
}
