// Package credhelper is docker-credential-acr as a Go library: it returns credentials for
// Azure container registries. Use it in programs that pull or push images and that
// otherwise would run a Docker credential helper.
//
//	helper := credhelper.New()
//	user, password, err := helper.Get("contoso.azurecr.io")
//
// A Helper implements the interface of docker-credential-helpers, so it can be used
// wherever that is accepted, such as authn.NewKeychainFromHelper of go-containerregistry.
// docs/library.md in the repository shows how to use it with that library and with
// oras-go.
//
// # What Get does
//
// If the server isn't an Azure container registry, Get returns what was stored for it, or
// what the delegate of the config file has, or a NotFoundError. It makes no request.
//
// If it is one, exactly one identity is selected, by the first rule that applies:
// WithIdentity or WithTokenSource; a stored login or an entry of the config file; the
// environment (the variables of the Azure SDKs, of Terraform, of CI systems and of Azure's
// hosts); a signed-in Azure CLI; the managed identity of an Azure VM. If none applies, Get
// returns a NotFoundError.
//
// Then Get returns a cached token of that identity and registry, if more than half of its
// life is left. Otherwise the identity signs in to Microsoft Entra ID, and the registry
// exchanges the access token for its own token (POST /oauth2/exchange). That token is
// cached, and returned with NullGUID as the user name. If renewing a token fails, the old
// one is returned until it ends.
//
// # Caching
//
// Tokens are cached in the memory of the Helper and, where there is a keyring, encrypted
// on disk, where the program and other processes of the same user find them. Goroutines
// and processes that need the same token at the same time sign in once. The environment,
// the config file and the logins are read at every call, so a change counts at once.
// Another process's logout is noticed within a minute.
//
// # Promises
//
// An access token is sent to https://<registry>/oauth2/exchange only, a client secret to
// the authority of the registry's cloud only. No redirect is followed. No secret is
// printed, logged, passed as an argument or written to disk unencrypted. A keyring or
// disk that is broken, locked, slow or missing never makes a Get fail that a new exchange
// could answer. Get never prompts, and ends within 30 seconds.
//
// # Limits
//
// Another process of the same user can do what this one does: read the keyring, decrypt
// the vault, obtain a token. A token that was returned can't be revoked before it ends, at
// most three hours later.
//
// The environment variables DOCKER_CREDENTIAL_ACR_HOME and DOCKER_CREDENTIAL_ACR_KEYRING
// apply as they do to the program. On Linux the first write to the OS keyring may set
// DBUS_SESSION_BUS_ADDRESS in the process's environment, where go-keyring looks for the
// bus. Managed identities are looked for with the process's own variables, whatever
// WithEnvironment says; if the two disagree, that is an error. A user signs in with the
// program's login command; the library has none.
package credhelper
