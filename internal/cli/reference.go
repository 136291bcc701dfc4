package cli

import "github.com/docker/docker-credential-helpers/credentials"

// clientCommands are what clients run, with what they do.
var clientCommands = [][2]string{
	{credentials.ActionGet, "Print the credential for the registry on standard input"},
	{credentials.ActionStore, "Store the credential on standard input (docker login)"},
	{credentials.ActionErase, "Delete the credential for a registry (docker logout)"},
	{credentials.ActionList, "Print the registries that get may have a credential for"},
	{credentials.ActionVersion, "Print the version"},
}

// What help and manual pages say about the program as a whole: names, and what they mean.
var (
	// Environment are the program's own variables. Azure's are in the documentation.
	Environment = [][2]string{
		{"DOCKER_CREDENTIAL_ACR_HOME", "Directory of the config file and of stored logins (absolute path)"},
		{"DOCKER_CREDENTIAL_ACR_KEYRING", "Where the encryption key is: auto (default), os, kernel, file or none"},
		{"DOCKER_CREDENTIAL_ACR_TRACE", "1 prints each step to standard error, without secrets"},
		{"NO_COLOR", "Any value turns off colors and symbols"},
	}
	// Files are those of Linux, and of macOS where they are elsewhere.
	Files = [][2]string{
		{"~/.config/docker-credential-acr/config.json", "The user's config file; in XDG_CONFIG_HOME if that is set"},
		{"/etc/docker-credential-acr/config.json", "The computer's config file"},
		{"~/.local/share/docker-credential-acr/vault", "Stored logins and tokens; in XDG_DATA_HOME if that is set"},
		{"/var/lib/docker-credential-acr", "On Kubernetes nodes, what is stored for kubelet"},
		{"~/Library/Application Support/docker-credential-acr", "On macOS, the user's config file and the vault"},
		{"~/.docker/config.json", "Docker's config file; in DOCKER_CONFIG if that is set"},
		{"~/.config/containers/auth.json", "Podman's credentials, if XDG_RUNTIME_DIR has none"},
	}
	// ExitStatus are the exit statuses.
	ExitStatus = [][2]string{
		{"0", "Success"},
		{"1", "Failure, or a problem that doctor found"},
		{"2", "Usage error, of commands that users type"},
		{"130", "Interrupted"},
	}
)
