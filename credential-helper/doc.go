// Package credhelper is docker-credential-acr as a library: a credential helper for Azure
// Container Registry, for programs that call Docker's credential helpers through an
// interface instead of running them.
//
//	keychain := authn.NewKeychainFromHelper(credhelper.New())
//
// # What Get does
//
// The server's name is parsed once. If it isn't an Azure container registry, Get returns
// what was stored for it, what the delegate of the config file has, or "not found",
// without any request. If it is, exactly one identity is selected, by the first rule that
// applies: a stored login or an entry of the config file; the environment (the variables
// of the Azure SDKs, of Terraform, of CI systems and of Azure's hosts); a signed-in Azure
// CLI; the managed identity of an Azure VM; none. A token that this identity obtained for
// this registry, and of which more than half of its life is left, is returned from the
// vault: one keyring read, no request, no lock. Otherwise the identity signs in to
// Microsoft Entra, and the registry exchanges the Entra token for its own (POST
// /oauth2/exchange), which is cached and returned with the user name
// 00000000-0000-0000-0000-000000000000.
//
// # Promises
//
// An Entra token is sent to https://<registry>/oauth2/exchange only, a client secret to
// the authority of the registry's cloud only; no redirect is followed. Nothing secret is
// printed, logged, passed as an argument or written to disk unencrypted. A keyring or
// disk that is broken, locked, slow or missing never fails a Get that a new exchange
// could answer. Get never prompts and ends within 30 seconds.
//
// # Limits
//
// Another process of the same user can do what this one does: read the keyring, decrypt
// the vault, obtain a token. A token that was returned can't be revoked before its end,
// at most three hours later.
//
// # Use in a program
//
// New can't fail and does nothing: it reads no file and no variable before the first
// call. A Helper is safe for many goroutines. The environment variables
// DOCKER_CREDENTIAL_ACR_HOME and DOCKER_CREDENTIAL_ACR_KEYRING apply as they do to the
// program, which shares the vault. On Linux the first write to the OS keyring may set
// DBUS_SESSION_BUS_ADDRESS in the process's environment, where go-keyring looks for the
// bus. Managed identities are looked for with the process's own variables, whatever
// WithEnvironment says; if the two disagree, that is an error. Signing in is a command of
// the program.
package credhelper
