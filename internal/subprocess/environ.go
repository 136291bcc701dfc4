package subprocess

import (
	"runtime"
	"slices"
	"strings"
)

// Variables are names of environment variables; a star at the end stands for any text.
type Variables []string

// has reports whether a name is among them. On Windows names in upper and lower case are
// the same.
func (v Variables) has(name string) bool {
	return slices.ContainsFunc(v, func(pattern string) bool {
		if runtime.GOOS == "windows" {
			pattern, name = strings.ToUpper(pattern), strings.ToUpper(name)
		}
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		return name == pattern || isPrefix && strings.HasPrefix(name, prefix)
	})
}

// Basic are the variables that every program may need: where things are, the language, the
// proxy and its certificates, and what Windows programs don't start without.
var Basic = Variables{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TERM", "XDG_*",
	"DBUS_SESSION_BUS_ADDRESS",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
	"SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "TEMP", "TMP", "OS", "USERNAME", "USERDOMAIN",
	"USERPROFILE",
	"HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles*", "ProgramW6432", "CommonProgram*",
	"COMPUTERNAME", "NUMBER_OF_PROCESSORS", "PROCESSOR_*",
}

// Secrets are the variables from which this program takes secrets, and what else belongs to
// an identity.
var Secrets = Variables{"AZURE_*", "ARM_*", "ACTIONS_ID_TOKEN_*", "SYSTEM_ACCESSTOKEN", "IDENTITY_*", "MSI_*"}

// Only returns a filter for these variables alone.
func Only(v ...Variables) func(entry string) bool {
	return func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(v, func(list Variables) bool { return list.has(name) })
	}
}

// AllBut returns a filter for all other variables, except tokens and private keys: CI
// systems let users name the variables of such things.
func AllBut(v Variables) func(entry string) bool {
	return func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		isToken := strings.HasPrefix(strings.TrimSpace(value), "eyJ") && strings.Count(value, ".") >= 2
		return !v.has(name) && !isToken && !strings.Contains(value, "PRIVATE KEY-----")
	}
}

// inherited returns what a filter leaves of an environment. It is never nil, with which
// os/exec would pass on everything.
func inherited(environ []string, inherits func(string) bool) []string {
	return slices.DeleteFunc(append([]string{}, environ...), func(entry string) bool { return !inherits(entry) })
}
