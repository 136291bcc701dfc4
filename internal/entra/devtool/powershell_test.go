package devtool

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"
)

// decodeCommand reads -EncodedCommand as PowerShell does; "" for what it would
// not read.
func decodeCommand(encoded string) string {
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(content)%2 != 0 {
		return ""
	}
	var units []uint16
	for i := 0; i < len(content); i += 2 {
		units = append(units, uint16(content[i])|uint16(content[i+1])<<8)
	}
	return string(utf16.Decode(units))
}

func TestEncodeCommand(t *testing.T) {
	for script, encoded := range map[string]string{
		"":          "",
		"dir":       "ZABpAHIA", // as PowerShell's own documentation makes it
		"exit 1 #é": "ZQB4AGkAdAAgADEAIAAjAOkA",
	} {
		if got := encodeCommand(script); got != encoded || decodeCommand(got) != script {
			t.Errorf("%q: %s", script, got)
		}
	}
}

// TestTheScript holds what its users rely upon: nothing that asks, and a command
// line that Windows takes.
func TestTheScript(t *testing.T) {
	script := powerShellArgs(otherTenant)[5]
	for _, part := range []string{
		"$ErrorActionPreference = 'Stop'", "exit 91", "exit 92",
		"ResourceUrl = 'https://containerregistry.azure.net'", "if ('" + otherTenant + "') { $wanted.TenantId = '" + otherTenant + "' }",
		"AsSecureString", "SecureString]", "ToUnixTimeSeconds()",
	} {
		if !strings.Contains(script, part) {
			t.Errorf("it lacks %s", part)
		}
	}
	for _, r := range script {
		if r > '~' {
			t.Errorf("it has %q, which Windows PowerShell could read otherwise", r)
		}
	}
	if strings.Contains(script, "%!") || strings.Count(script, "'")%2 != 0 || strings.Count(script, "{") != strings.Count(script, "}") || strings.Count(script, "(") != strings.Count(script, ")") {
		t.Errorf("it is not well-formed:\n%s", script)
	}
	if length := len(encodeCommand(script)); length > 8000 { // cmd.exe takes 8,191 characters
		t.Errorf("it is %d characters long", length)
	}
}

func TestParsePowerShell(t *testing.T) {
	for _, row := range []struct {
		out string
		ok  bool
	}{
		{`{"Tenant":"t","ExpiresOn":1795294800,"Token":"x"}`, true},
		{"\ufeff" + `{"Token":"x","ExpiresOn":1795294800}` + "\r\n", true},                             // Windows
		{"\x1b[?1h\x1b[?1l" + `{"Token":"x","Tenant":null,"ExpiresOn":1795294800}` + "\x1b[?1h", true}, // Linux
		{`{"Token":"","ExpiresOn":1795294800}`, false},
		{`{"Token":null,"ExpiresOn":1795294800}`, false},
		{`{"Token":"x","ExpiresOn":"tomorrow"}`, false},
		{`{"Token":{"Length":2000},"ExpiresOn":1795294800}`, false}, // a SecureString
		{`}{`, false},
		{`x`, false},
		{``, false},
	} {
		a, err := parsePowerShell([]byte(row.out))
		if row.ok != (err == nil) || row.ok && (a.Token != "x" || a.ExpiresOn != 1795294800) {
			t.Errorf("%q: %+v, %v", row.out, a, err)
		}
	}
}
