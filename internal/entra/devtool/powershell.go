package devtool

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"time"
	"unicode/utf16"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// powerShell is the Az modules of PowerShell, which needs seconds to start and more to
// load Az.Accounts, on a cold Windows machine more than the ten of the other tools.
// Fifteen of the 28 seconds of a whole get leave the exchange its ten.
var powerShell = tool{
	product: "Azure PowerShell", timeout: 15 * time.Second, login: "Connect-AzAccount",
	// Every Windows has Windows PowerShell 5.1.
	names: map[bool][]string{true: {"pwsh", "powershell"}, false: {"pwsh"}}[runtime.GOOS == "windows"],
	args:  powerShellArgs, parse: parsePowerShell,
	missing: fault.PowerShellMissing, signedOut: fault.PowerShellSignedOut, timedOut: fault.PowerShellTimeout,
	failed: fault.PowerShellFailed, otherTenant: fault.PowerShellTenant,
	statuses: map[int]*fault.Error{
		exitNoModule: {
			Code: fault.PowerShellModule, Reason: "the PowerShell module Az.Accounts (2.2 or later) is not installed",
		},
		exitSignedOut: {Code: fault.PowerShellSignedOut, Reason: "Azure PowerShell is not signed in"},
	},
}

// Exit statuses of the script below, apart from 1.
const (
	exitNoModule  = 91
	exitSignedOut = 92
)

// accessTokenScript prints one JSON object; or to standard error the text of an
// exception, not wrapped, not colored and not as XML. The streams of warnings (3) and
// information (6) would end up in standard output. Before 5.0, Az.Accounts returns its
// token as plain text unless asked for a SecureString; since then always as one.
// (Microsoft Learn, "Get-AzAccessToken"; azidentity's AzurePowerShellCredential needs
// 2.2.0, too.)
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
  if ($token -is [System.Security.SecureString]) {
    $token = (New-Object System.Net.NetworkCredential('', $token)).Password
  }
  [Console]::Out.Write((@{
    Token = $token; ExpiresOn = $answer.ExpiresOn.ToUnixTimeSeconds(); Tenant = $answer.TenantId
  } | ConvertTo-Json -Compress))
} catch {
  for ($e = $_.Exception; $e; $e = $e.InnerException) { [Console]::Error.WriteLine($e.Message) }
  exit 1
}
`

// powerShellArgs needs no quotes for the script on any system. The token comes back
// through a pipe; the script has no secret. (about_Pwsh: -EncodedCommand is Base64 of
// UTF-16LE.)
func powerShellArgs(id identity.Identity) []string {
	tenant := ""
	if id.AskTenant {
		tenant = id.Tenant
	}
	script := fmt.Sprintf(accessTokenScript, exitNoModule, exitSignedOut, id.Audience, tenant)
	return []string{
		"-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", encodeCommand(script),
	}
}

func encodeCommand(script string) string {
	var encoded []byte
	for _, unit := range utf16.Encode([]rune(script)) {
		encoded = binary.LittleEndian.AppendUint16(encoded, unit)
	}
	return base64.StdEncoding.EncodeToString(encoded)
}

func parsePowerShell(out []byte, tenant string) (answer, error) {
	type object struct {
		Token, Tenant string
		ExpiresOn     int64
	}
	said, err := findObject(out, func(o object) bool { return o.Token != "" })
	return answer{said.Token, cmp.Or(said.Tenant, tenant), time.Unix(said.ExpiresOn, 0)}, err
}
