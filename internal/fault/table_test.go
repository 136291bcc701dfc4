package fault

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTable_has_every_code also checks that every row is for a code of the program or an AADSTS number, once.
func TestTable_has_every_code(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []Code
	for _, m := range regexp.MustCompile(`(?m)^\s+\w+\s+Code = "([^"]+)"`).FindAllSubmatch(source, -1) {
		declared = append(declared, Code(m[1]))
	}
	if len(declared) < 100 {
		t.Fatalf("only %d codes were found", len(declared))
	}
	seen := map[Code]bool{}
	for _, r := range rows() {
		if r.situation != "" || r.system != "" {
			continue
		}
		code := Code(r.codes[0])
		if seen[code] || len(r.codes) > 1 {
			t.Errorf("%s appears twice", code)
		}
		seen[code] = true
		if !slices.Contains(declared, code) && !strings.HasPrefix(string(code), aadsts) {
			t.Errorf("%s is not declared", code)
		}
	}
	for _, code := range declared {
		if !seen[code] {
			t.Errorf("%s is not in the table", code)
		}
	}
}

func TestTable_meanings_and_advice(t *testing.T) {
	known := []Situation{
		"", FromCommandLine, FromLogin, FromRegistryUser, FromConfig, FromAzureCLI, FromAzd, FromPowerShell, FromAzureJSON, FromPod,
	}
	for _, r := range rows() {
		if r.system != "" {
			continue
		}
		checkAdvice(t, r)
		if !slices.Contains(known, r.situation) && !Code(r.situation).IsKnown() {
			t.Errorf("there is no situation %q", r.situation)
		}
		for _, code := range r.codes {
			if !Code(code).IsKnown() {
				t.Errorf("%s has no meaning", code)
			}
		}
		if r.situation != "" {
			continue
		}
		if r.meaning == "" || strings.HasSuffix(r.meaning, ".") {
			t.Errorf("%s: meaning %q", r.codes, r.meaning)
		}
		if r.advice == "" && Code(r.codes[0]) != OK && Code(r.codes[0]) != Skipped {
			t.Errorf("%s has no advice", r.codes)
		}
	}
}

func checkAdvice(t *testing.T, r row) {
	t.Helper()
	if strings.HasSuffix(r.advice, ".") || r.advice != "" && strings.ToUpper(r.advice[:1]) != r.advice[:1] {
		t.Errorf("%s: advice %q", r.codes, r.advice)
	}
}

func TestContext_Advice(t *testing.T) {
	contoso := Context{Registry: "contoso.azurecr.io", ClientID: "7d1c"}
	in := func(s Situation, login string) Context {
		c := contoso
		c.Situation, c.Login = s, login
		return c
	}
	terraform := contoso
	terraform.Terraform = true
	tenant := in(FromAzureCLI, "")
	tenant.Tenant = "1111"
	for _, row := range []struct {
		context Context
		err     error
		want    string
	}{
		{contoso, New("AADSTS7000222", ""), "--id 7d1c --append (and set AZURE_CLIENT_SECRET"},
		{terraform, New("AADSTS7000222", ""), "set ARM_CLIENT_SECRET"},
		{terraform, New("AADSTS700030", ""), "Set AZURE_CLIENT_SEND_CERTIFICATE_CHAIN=1"},
		{in(FromLogin, ""), New("AADSTS7000222", ""), "docker-credential-acr login contoso.azurecr.io --service-principal"},
		{in(FromLogin, "'*.azurecr.io'"), New("AADSTS7000222", ""), "login '*.azurecr.io' --service-principal"},
		{in(FromAzureCLI, ""), New("AADSTS7000222", ""), "Run: az login --service-principal"},
		{in(FromConfig, ""), New("AADSTS90002", ""), "Check tenant in the config file"},
		{in(FromAzureCLI, ""), New("AADSTS700082", ""), "Run: az login"},
		{tenant, New("AADSTS700082", ""), "Run: az login --tenant 1111"},
		{tenant, New("AADSTS50076", ""), "--tenant 1111 --scope https://containerregistry.azure.net/.default"},
		{in(FromLogin, ""), New("AADSTS7000218", ""), "az ad app update --id 7d1c --is-fallback-public-client true"},
		{Context{Situation: FromAzureCLI}, New("AADSTS70021", ""), "--id CLIENT-ID"},
		{contoso, &Error{Code: LoginVault, Object: "/home/a"}, "Run: chmod 700 /home/a"},
		{contoso, &Error{Code: LoginVault, Object: "/home/a", Cause: New(FileForeign, "")}, "DOCKER_CREDENTIAL_ACR_HOME"},
		{contoso, &Error{Code: KeyStays, Object: "kernel"}, "Run: DOCKER_CREDENTIAL_ACR_KEYRING=kernel docker"},
		{
			contoso, &Error{Code: LoginKeyring, Cause: &Error{Code: KeyringUnavailable, Cause: &Error{Code: FileOpen, Object: "/k"}}},
			"Run: chmod 600 /k",
		},
		{contoso, &Error{Code: AzureCLIMissing, Object: ""}, "add az to the PATH of"},
		{in(FromAzd, ""), New("AADSTS700082", ""), "Run: azd auth login"},
		{in(FromPowerShell, ""), New("AADSTS700082", ""), "Connect-AzAccount"},
		{in(FromLogin, ""), New("AADSTS700082", ""), "Run: docker-credential-acr login contoso.azurecr.io"},
		{in(FromCommandLine, ""), New("AADSTS50076", ""), "Conditional Access policy"},
		{contoso, New("AADSTS12345", ""), "See https://login.microsoftonline.com/error?code=12345"},
		{contoso, New(EntraOther, ""), "docker-credential-acr doctor contoso.azurecr.io"},
		{contoso, fmt.Errorf("wrapped: %w", New(RegistryFirewall, "")), "az acr network-rule add"},
		{contoso, &Error{Code: LoginKeyring}, "Run: docker-credential-acr login contoso"},
		{contoso, &Error{Code: LoginKeyring, Cause: New(KeyringLocked, "")}, "Run: docker-credential-acr unlock"},
		{contoso, &Error{Code: DelegateFailed, Subject: "docker-credential-pass"}, "| docker-credential-pass get"},
		{contoso, fmt.Errorf("no code"), ""},
	} {
		row.context.System = "linux"
		got := row.context.Advice(row.err)
		if !strings.Contains(got, row.want) || row.want == "" && got != "" {
			t.Errorf("%v: %q, want %q", row.err, got, row.want)
		}
	}
}

// foreign is what makes no sense on a system.
var foreign = map[string]*regexp.Regexp{
	"windows": regexp.MustCompile(`chmod|chown|sudo|\brm |SSL_CERT_|/dev/|/etc/|usermod|timedatectl|0600|Linux|'\(|` +
		`: [A-Z_]+=\S+ docker-`),
	"darwin": regexp.MustCompile(`SSL_CERT_|usermod|timedatectl|Linux`),
}

// TestContext_Advice_on_other_systems tries every code in every situation.
func TestContext_Advice_on_other_systems(t *testing.T) {
	for system, pattern := range foreign {
		for _, r := range rows() {
			for _, code := range r.codes {
				err := &Error{Code: Code(code)}
				if Code(r.situation).IsKnown() {
					err.Cause = &Error{Code: Code(r.situation)}
				}
				c := Context{Situation: r.situation, System: system}
				if advice := c.Advice(err); pattern.MatchString(advice) {
					t.Errorf("%s, %s on %s: %s", code, r.situation, system, advice)
				}
			}
		}
	}
	all := rows()
	for _, r := range all {
		isUsed := slices.ContainsFunc(all, func(other row) bool {
			return other.system == "" && strings.Contains(other.advice, r.meaning)
		})
		if r.system != "" && !isUsed {
			t.Errorf("no advice says %q", r.meaning)
		}
	}
	windows := Context{Registry: "contoso.azurecr.io", System: "windows"}
	for err, want := range map[*Error]string{
		{Code: EntraOther}: "Set DOCKER_CREDENTIAL_ACR_TRACE=1, and run: docker-credential-acr doctor contoso.azurecr.io",
		{Code: TLS}:        "If a proxy inspects TLS, add its CA certificate to the system's trust store",
		{Code: LoginVault, Object: `"C:\a b"`}: `In PowerShell, run: icacls "C:\a b" /reset; icacls "C:\a b" /inheritance:r ` +
			`/grant:r "${env:USERNAME}:(OI)(CI)F" "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"`,
	} {
		if got := windows.Advice(err); got != want {
			t.Errorf("%s: %q, want %q", err.Code, got, want)
		}
	}
}

// TestDocument_is_in_docs is needed because a package can't embed a file of another directory.
func TestDocument_is_in_docs(t *testing.T) {
	content, err := os.ReadFile("../../docs/codes.md")
	if err != nil || string(content) != document {
		t.Errorf("docs/codes.md is not a copy of internal/fault/codes.md: %v", err)
	}
}
