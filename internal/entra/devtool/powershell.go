package devtool

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
)

// Codes of Azure PowerShell's errors.
const (
	CodePwshMissing     = "pwsh-missing"
	CodePwshNoModule    = "pwsh-no-module"
	CodePwshSignedOut   = "pwsh-signed-out"
	CodePwshTimeout     = "pwsh-timeout"
	CodePwshFailed      = "pwsh-failed"
	CodePwshOtherTenant = "pwsh-other-tenant"
)

// powerShell needs seconds to start and more to load Az.Accounts, on a cold
// Windows machine more than the others' ten altogether. Fifteen of the 28
// seconds of a whole get leave the exchange its ten.
func powerShell() program {
	p := program{
		product: "Azure PowerShell", names: []string{"pwsh"}, timeout: 15 * time.Second, login: "Connect-AzAccount",
		missing: CodePwshMissing, signedOut: CodePwshSignedOut, late: CodePwshTimeout, failed: CodePwshFailed,
	}
	if runtime.GOOS == "windows" {
		p.names = append(p.names, "powershell") // Windows PowerShell 5.1, which every Windows has
	}
	return p
}

// What the script below exits with, apart from 1.
const (
	exitNoModule  = 91
	exitSignedOut = 92
)

// accessTokenScript prints one JSON object; or to standard error what an
// exception says, not wrapped, not coloured and not as XML. The streams of
// warnings (3) and information (6) would end in standard output. Before 5.0,
// Az.Accounts hands out its token in clear unless asked for a SecureString;
// since then always as one. (Microsoft Learn, "Get-AzAccessToken"; azidentity's
// AzurePowerShellCredential needs 2.2.0, too.)
const accessTokenScript = `$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try {
  $module = Import-Module Az.Accounts -MinimumVersion 2.2.0 -PassThru -ErrorAction SilentlyContinue 3>$null 6>$null
  if (-not $module) { exit %d }
  $context = Get-AzContext 3>$null 6>$null
  if (-not $context.Account) { exit %d }
  $wanted = @{ ResourceUrl = '%s' }
  if ('%[4]s') { $wanted.TenantId = '%[4]s' }
  if ((Get-Command Get-AzAccessToken).Parameters.ContainsKey('AsSecureString')) { $wanted.AsSecureString = $true }
  $answer = Get-AzAccessToken @wanted 3>$null 6>$null
  $token = $answer.Token
  if ($token -is [System.Security.SecureString]) { $token = (New-Object System.Net.NetworkCredential('', $token)).Password }
  [Console]::Out.Write((@{ Token = $token; ExpiresOn = $answer.ExpiresOn.ToUnixTimeSeconds(); Tenant = $answer.TenantId } | ConvertTo-Json -Compress))
} catch {
  for ($e = $_.Exception; $e; $e = $e.InnerException) { [Console]::Error.WriteLine($e.Message) }
  exit 1
}
`

// AzurePowerShell asks the Az modules of PowerShell, at the cost of two to ten
// seconds. The token goes through a pipe; the script holds no secret.
func (t Tools) AzurePowerShell(ctx context.Context, id identity.Identity) (secret.Token, error) {
	p := powerShell()
	if err := p.check(id); err != nil {
		return secret.Token{}, err
	}
	tenant := ""
	if id.AskTenant {
		tenant = id.Tenant
	}
	script := fmt.Sprintf(accessTokenScript, exitNoModule, exitSignedOut, id.Audience, tenant)
	out, err := t.run(ctx, p, "-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", encodeCommand(script))
	if err != nil {
		return secret.Token{}, explainPowerShell(p, err)
	}
	answer, err := parsePowerShell(out)
	if err != nil {
		return secret.Token{}, p.garbled()
	}
	token, err := t.accept(p, answer.Token, time.Unix(answer.ExpiresOn, 0))
	if err == nil && identity.IsGUID(id.Tenant) && answer.Tenant != "" && !strings.EqualFold(answer.Tenant, id.Tenant) {
		return secret.Token{}, &Error{fmt.Sprintf("Azure PowerShell answered for tenant %.36q instead of %s", answer.Tenant, id.Tenant), CodePwshOtherTenant}
	}
	return token, err
}

// encodeCommand needs no quoting, on whatever system. (about_Pwsh: Base64 of
// UTF-16LE.)
func encodeCommand(script string) string {
	var encoded []byte
	for _, unit := range utf16.Encode([]rune(script)) {
		encoded = binary.LittleEndian.AppendUint16(encoded, unit)
	}
	return base64.StdEncoding.EncodeToString(encoded)
}

type powerShellAnswer struct {
	Token     string
	Tenant    string
	ExpiresOn int64
}

// parsePowerShell looks for the object in what may stand around it: a byte order
// mark on Windows, control sequences for a terminal on Linux
// (PowerShell/PowerShell issue 26631).
func parsePowerShell(out []byte) (a powerShellAnswer, err error) {
	begin, end := bytes.IndexByte(out, '{'), bytes.LastIndexByte(out, '}')
	if begin < 0 || end < begin {
		return a, errors.New("no object")
	}
	if err = json.Unmarshal(out[begin:end+1], &a); err == nil && a.Token == "" {
		err = errors.New("no token")
	}
	return a, err
}

func explainPowerShell(p program, err error) error {
	var failed *tool.ExitError
	if errors.As(err, &failed) {
		switch failed.Status {
		case exitNoModule:
			return &Error{"PowerShell has no module Az.Accounts of version 2.2 or newer", CodePwshNoModule}
		case exitSignedOut:
			return &Error{"Azure PowerShell is not signed in", CodePwshSignedOut}
		}
	}
	return p.explain(err)
}
