package tool

import (
	"slices"
	"strings"
)

// harmless leaves out of an environment what holds a secret by its name, ours
// and other programs'.
func harmless(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		return secretName(strings.ToUpper(name)) || secretValue(value)
	})
}

// notSecret are names of files and addresses that look like those of secrets.
var notSecret = []string{
	"AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "ACTIONS_ID_TOKEN_REQUEST_URL",
	"SSH_AUTH_SOCK", "XAUTHORITY", "AZURE_AUTHORITY_HOST", "PWD", "OLDPWD", "XDG_SESSION_TYPE",
	"PASSWORD_STORE_DIR", "PASSWORD_STORE_KEY", "PASSWORD_STORE_GPG_OPTS", // of pass(1), where the key is the name of one
	"GOOGLE_APPLICATION_CREDENTIALS", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", // paths, which a delegate may need
	"DOCKER_CREDENTIAL_ACR_HOME", "DOCKER_CREDENTIAL_ACR_KEYRING", "DOCKER_CREDENTIAL_ACR_TRACE",
}

// secretValue knows a JSON Web Token or a private key by its look: CI systems let
// people name the variables of such things.
func secretValue(value string) bool {
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") >= 2 || strings.Contains(value, "PRIVATE KEY-----")
}

func secretName(name string) bool {
	if slices.Contains(notSecret, name) {
		return false
	}
	for _, part := range []string{
		"SECRET", "PASS", "PWD", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "IDENTITY_HEADER", "CLIENT_CERTIFICATE", "JWT", "CONNECTION_STRING", "FEED_ENDPOINTS",
	} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasSuffix(name, "_PAT")
}
