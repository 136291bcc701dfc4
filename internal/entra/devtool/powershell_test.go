package devtool

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// decodeCommand reads -EncodedCommand as PowerShell does; "" for what PowerShell refuses.
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
		"dir":       "ZABpAHIA", // from PowerShell's own documentation
		"exit 1 #é": "ZQB4AGkAdAAgADEAIAAjAOkA",
	} {
		if got := encodeCommand(script); got != encoded || decodeCommand(got) != script {
			t.Errorf("%q: %s", script, got)
		}
	}
}

// TestAccessTokenScript checks that the script is well-formed and never prompts, and that it fits into Windows' command
// line.
func TestAccessTokenScript(t *testing.T) {
	script := scriptArgs(otherTenant)[5]
	for _, part := range []string{
		"$ErrorActionPreference = 'Stop'", "exit 91", "exit 92",
		"ResourceUrl = 'https://containerregistry.azure.net'",
		"if ('" + otherTenant + "') { $wanted.TenantId = '" + otherTenant + "' }",
		"AsSecureString", "SecureString]", "ToUnixTimeSeconds()",
	} {
		if !strings.Contains(script, part) {
			t.Errorf("it lacks %s", part)
		}
	}
	for _, r := range script {
		if r > '~' {
			t.Errorf("it has %q, which Windows PowerShell may misread", r)
		}
	}
	count := func(s string) int { return strings.Count(script, s) }
	if strings.Contains(script, "%!") || count("'")%2 != 0 || count("{") != count("}") || count("(") != count(")") {
		t.Errorf("it is not well-formed:\n%s", script)
	}
	if length := len(encodeCommand(script)); length > 8000 { // cmd.exe allows 8,191 characters
		t.Errorf("it has %d characters", length)
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
		{`{"Token":"","ExpiresOn":1795294800}`, false},                                                 // no token
		{`{"Token":null,"ExpiresOn":1795294800}`, false},
		{`{"Token":"x","ExpiresOn":"tomorrow"}`, false},
		{`{"Token":{"Length":2000},"ExpiresOn":1795294800}`, false}, // a SecureString
		{`}{`, false},
		{`x`, false},
		{``, false},
	} {
		a, err := parsePowerShell([]byte(row.out), "t")
		isToken := err == nil && a.token != ""
		if row.ok != isToken || row.ok && a != (answer{"x", "t", time.Unix(1795294800, 0)}) {
			t.Errorf("%q: %+v, %v", row.out, a, err)
		}
	}
}
