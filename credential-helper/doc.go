// Package credhelper is docker-credential-acr as a library: a credential helper
// for Azure Container Registry, for programs that read Docker's credential
// helpers through an interface instead of running them.
//
//	keychain := authn.NewKeychainFromHelper(credhelper.New())
//
// # What a Get does
//
// The server's name is parsed once. If it isn't an Azure container registry the
// answer is what was stored for it, what the helper that the config file names as
// delegate knows, or "not found", without any request. If it
// is, exactly one identity is chosen by a visible rule: a stored login or an
// entry of the config file, the environment (the variables of Azure's SDKs, of
// Terraform, of CI systems and of Azure's hosts), a signed-in Azure CLI, the
// managed identity of a machine of Azure's, nobody. A token that this very
// identity earned for this very registry, and of which more than half is left, is
// answered from the vault: one keyring read, no request, no lock. Otherwise the
// identity signs in to Microsoft Entra, and the registry swaps the Entra token for
// its own (POST /oauth2/exchange), which is kept and answered together with the
// user name 00000000-0000-0000-0000-000000000000.
//
// # What is promised
//
// An Entra token goes to https://<registry>/oauth2/exchange and nowhere else, a
// client secret to the authority of the registry's cloud and nowhere else; no
// redirect is followed. Nothing secret is printed, logged, put on a command line
// or written unsealed. A keyring or disk that is broken, locked, slow or missing
// never fails a Get that a fresh exchange could answer. A Get never prompts and
// ends within 30 seconds.
//
// # What is not protected
//
// Another process of the same user can do what this one does: read the keyring,
// open the vault, ask for a token. A token that has been handed out can't be
// called back before its end, at most three hours later.
//
// # Importing
//
// New can't fail and does nothing: it reads no file and no variable before the
// first call. A Helper is safe for many goroutines. The environment variables
// DOCKER_CREDENTIAL_ACR_HOME and DOCKER_CREDENTIAL_ACR_KEYRING apply as they do
// to the program; the vault is shared with it. On Linux the first use of the OS
// keyring may set DBUS_SESSION_BUS_ADDRESS in the process's environment, where
// go-keyring looks for the bus. Managed identities are looked for by the process's
// own variables, whatever WithEnvironment says; where the two disagree, that is an
// error. Logging in is a command of the program.
package credhelper
