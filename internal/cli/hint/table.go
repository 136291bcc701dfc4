package hint

import (
	"cmp"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/delegate"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/assertion"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/machine"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/signin"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

const (
	newSecret = "make a new one with: az ad app credential reset --id CLIENT-ID --append, and set AZURE_CLIENT_SECRET to it"
	again     = "run: docker-credential-acr login LOGIN"
	azLogin   = "run: az login"
	unlock    = "run: docker-credential-acr unlock, and try again; if the keyring is lost: docker-credential-acr logout LOGIN, and log in again"
	azMissing = "install Azure CLI, or put az on the PATH"
	azdLogin  = "run: azd auth login"
	connect   = "run: pwsh -Command Connect-AzAccount"
	role      = "ask for the role AcrPull (or AcrPush) on the registry, Container Registry Repository Reader (or Writer) where it uses ABAC; " +
		"and check that the identity belongs to the registry's tenant, and that no config file names another audience"
	anonymous    = "; for anonymous pull run: docker-credential-acr login REGISTRY --anonymous"
	azTry        = "try: az account get-access-token --resource https://containerregistry.azure.net --query expiresOn"
	azdTry       = "try: azd auth token --scope https://containerregistry.azure.net/.default > /dev/null"
	connectTry   = "try: pwsh -Command '(Get-AzAccessToken -ResourceUrl https://containerregistry.azure.net).ExpiresOn'"
	proxy        = "check for a proxy or portal between here and Azure"
	network      = "check the network, and HTTPS_PROXY if there is a proxy; if it is the registry that is not found, check its name"
	traced       = "set DOCKER_CREDENTIAL_ACR_TRACE=1 to see the steps"
	status       = "see https://azure.status.microsoft and try again"
	federation   = "compare the application's federated credentials with the token's issuer, subject and audience: az ad app federated-credential list --id CLIENT-ID"
	subscription = "run: az account list --all --output table, and name one of those in the config file"
	person       = "a person has to sign in: docker-credential-acr login LOGIN"
	policy       = "ask the tenant's administrator which Conditional Access policy blocks it"
)

// renewals are the refusals after which somebody has to sign in again.
var renewals = []string{
	"AADSTS70043", "AADSTS700082", "AADSTS50132", "AADSTS50133", "AADSTS50173", "AADSTS50072", "AADSTS50074", "AADSTS50076", "AADSTS50079", "AADSTS65001",
}

// signingIn is a table that has one hint for everything that signing in mends, and
// others besides.
func signingIn(how string, others map[string]string) map[string]string {
	for _, code := range renewals {
		others[code] = cmp.Or(others[code], how)
	}
	return others
}

// storedHints are for logins of our own, and for what came in through docker login.
var storedHints = signingIn(again, map[string]string{
	signin.CodeAgain: again,
	"AADSTS53000":    policy + "; on a device that complies, run: docker-credential-acr login LOGIN --browser",
	"AADSTS53001":    policy + "; on a device that has joined, run: docker-credential-acr login LOGIN --browser",
	"AADSTS53003":    policy + "; device codes are often blocked where this is not: docker-credential-acr login LOGIN --browser",
	"AADSTS7000215":  again + " --service-principal, with the right secret",
	"AADSTS7000222":  "make a new secret with: az ad app credential reset --id CLIENT-ID --append; then " + again + " --service-principal",
	"AADSTS700016":   again + ", in the same way as before, with the application's own --client-id and --tenant",
	"AADSTS90002":    again + ", in the same way as before, with the application's own --client-id and --tenant",

	identity.CodeNoSubscription: again + " --azure-cli --subscription, with one of: az account list --all --output table",
})

// configHints are for applications that the config file names.
var configHints = map[string]string{
	"AADSTS700016": "check clientId and tenant in the config file: the application must belong to the tenant",
	"AADSTS90002":  "check tenant in the config file: it must belong to the registry's cloud",
	"AADSTS900382": "check tenant in the config file: it must belong to the registry's cloud",
}

// azHints, azdHints and powerShellHints are for whoever is signed in to a tool of
// Azure's, where signing in anew helps.
var azHints = signingIn(azLogin, map[string]string{
	"AADSTS7000215": "run: az login --service-principal, with the right secret", "AADSTS7000222": "run: az login --service-principal, with a new secret",
	"AADSTS700016": azLogin, "AADSTS90002": azLogin,
})

var (
	azdHints        = signingIn(azdLogin, map[string]string{})
	powerShellHints = signingIn(connect, map[string]string{})
)

// loginHints are for what was typed to the login command. Who has just signed in isn't
// told to sign in.
var loginHints = signingIn("try again; if it stays, "+policy, map[string]string{
	"AADSTS7000215": "check the secret that you gave: it must be the secret's value, not its id",
	"AADSTS7000222": "make a new secret with: az ad app credential reset --id CLIENT-ID --append, and log in with that",
	"AADSTS700016":  "check --client-id and --tenant: the application must belong to the tenant",
	"AADSTS90002":   "check --tenant, and that it belongs to the registry's cloud",
	"AADSTS900382":  "check --tenant: it must belong to the registry's cloud",
	"AADSTS53003":   policy + "; device codes are often blocked where --browser is not",

	identity.CodeNoSubscription: "run: az account list --all --output table, and give one of those to --subscription",
	identity.CodeBadVariable:    "check the file",
	assertion.CodePassword:      "give the password on standard input, or by --secret-file",
	"AADSTS65001":               "ask the tenant's administrator to consent to the application, for user_impersonation on Azure Container Registry",
})

// hints maps a failure's code to what its user can do. Every command in it
// exists.
var hints = map[string]string{
	identity.CodeConfig:      "mend the config file; see Config file in the README",
	identity.CodeConfigMode:  "run: chmod go-w on that file, as its owner, who must be you or root",
	identity.CodeNoProof:     "set it for that application; AZURE_CLIENT_ID, where it is set, must be the application's id",
	identity.CodeNoAzureCLI:  azLogin,
	identity.CodeHalfSet:     "set what is missing, or none of them; in place of the secret a certificate will do, a federated token or its file",
	identity.CodeBadVariable: "correct it: a client id is the application's GUID, not its name; paths are absolute; a token is a JSON Web Token",
	identity.CodeWrongCloud:  "unset AZURE_AUTHORITY_HOST (or ARM_ENVIRONMENT); the registry's name says which cloud it belongs to",

	identity.CodeNoIDToken:       "give the job the permission id-token: write",
	identity.CodeNoPipelineToken: "map it in the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken), inside a task that has a service connection, such as AzureCLI@2; or name the connection as serviceConnection in the config file",
	identity.CodeSignedOut:       again,
	identity.CodePatterns:        "run: docker-credential-acr logout, with the one that shall not count",

	identity.CodeNoSubscription:  subscription,
	identity.CodeAzureCLICloud:   "run: az cloud set --name, with the registry's cloud, then az login",
	identity.CodeAzureCLIMissing: azMissing,
	identity.CodeAzdCloud:        "run: azd config set cloud.name, with the registry's cloud, then azd auth login",
	identity.CodePowerShellCloud: "run: pwsh -Command Connect-AzAccount -Environment, with the registry's cloud",

	delegate.CodeMissing: "install it where the PATH of the program that runs Docker leads, or take delegate out of the config file",
	delegate.CodeItself:  "name another credential helper as delegate in the config file, or take it out: its logins are kept here then",
	delegate.CodeLate:    "run that helper by hand to see what it waits for: echo REGISTRY | DELEGATE get",
	delegate.CodeFailed:  "the config file names that helper as delegate; see what it says by hand: echo REGISTRY | DELEGATE get",

	"AADSTS7000215": "check AZURE_CLIENT_SECRET: it must be the secret's value, not its id",
	"AADSTS7000222": newSecret,
	"AADSTS7000218": newSecret,
	"AADSTS7000112": "ask who owns the application to enable it",
	"AADSTS700016":  "check AZURE_CLIENT_ID and AZURE_TENANT_ID: the application must belong to the tenant",
	"AADSTS90002":   "check AZURE_TENANT_ID, and that the tenant belongs to the registry's cloud",
	"AADSTS900382":  "check AZURE_TENANT_ID: the tenant must belong to the registry's cloud",
	"AADSTS500011":  "check the audience in the config file, or leave it out",
	"AADSTS50001":   "check the audience in the config file, or leave it out",
	"AADSTS50034":   "check the account's name and --tenant",
	"AADSTS50057":   "ask the tenant's administrator to enable the user",
	"AADSTS50105":   "ask who owns the application to assign the user to it",
	"AADSTS50020":   "name a tenant that the user belongs to or is a guest of: --tenant, or tenant in the config file",
	"AADSTS53000":   policy, "AADSTS53001": policy, "AADSTS53002": policy, "AADSTS53003": policy, "AADSTS530032": policy,
	"AADSTS65001": "ask the tenant's administrator to consent to the application, for user_impersonation on Azure Container Registry",
	"AADSTS90094": "ask the tenant's administrator to consent to the application", "AADSTS90095": "ask the tenant's administrator to consent to the application",
	"AADSTS700024": "check the clock of this machine; if it is right, the assertion was too old: look who renews it",
	"AADSTS700027": "upload the certificate to the application: az ad app credential reset --id CLIENT-ID --cert @FILE --append",
	"AADSTS70021":  federation, "AADSTS700211": federation, "AADSTS700212": federation, "AADSTS700213": federation,
	"AADSTS700030": "send the chain: AZURE_CLIENT_SEND_CERTIFICATE_CHAIN=1 (or --send-certificate-chain), with a certificate of the subject that the application trusts",
	"AADSTS50196":  "look for a loop that asks again and again; tokens are kept only where there is a keyring",
	"AADSTS70011":  "check the audience in the config file, or leave it out",
	"AADSTS50072":  person, "AADSTS50074": person, "AADSTS50076": person, "AADSTS50079": person,
	"AADSTS70043": person, "AADSTS700082": person, "AADSTS50132": person, "AADSTS50133": person, "AADSTS50173": person,
	"AADSTS90024": status, "AADSTS90055": status, "AADSTS50033": status, "AADSTS90033": status,
	"AADSTS70018": "try again; the code is good for 15 minutes", "AADSTS70019": "try again; the code is good for 15 minutes", "AADSTS70020": "try again; the code is good for 15 minutes",
	"AADSTS100007": "unset AZURE_REGIONAL_AUTHORITY_NAME",

	authority.CodeThrottled: "wait, then try again",
	authority.CodeTrouble:   status,
	authority.CodeOther:     traced,

	signin.CodeAgain:       again,
	signin.CodeDenied:      "try again, and accept what the application asks for",
	signin.CodeInterrupted: "try again",
	signin.CodeTimeout:     "try again; there are 5 minutes for it in a browser, 15 with a code",
	signin.CodeListen:      "sign in with --device-code instead of --browser",
	signin.CodeCode:        "try again; the code is good for 15 minutes",

	assertion.CodeMissing:     "look whether the job or pod still gets its token, and where",
	assertion.CodeNotToken:    "look what writes it: a JSON Web Token has three parts with dots between them",
	assertion.CodeExpired:     "look who renews it; in CI prefer a token that is minted when it is needed (GitHub Actions, Azure Pipelines)",
	assertion.CodeIssuerURL:   "the CI system sets that variable; don't set it by hand",
	assertion.CodeRefused:     "give the job the permission to ask for tokens (GitHub Actions: id-token: write; Azure Pipelines: SYSTEM_ACCESSTOKEN)",
	assertion.CodeConnection:  "check the service connection's id, and that the pipeline may use it",
	assertion.CodeTrouble:     "try again; if it stays, see the CI system's status page",
	assertion.CodeManaged:     "assign the user-assigned identity to this machine: az vm identity assign",
	assertion.CodeProxy:       "these variables are AKS's to set; look at the pod's identity binding",
	assertion.CodeCertificate: "use an RSA key with its certificate, as PEM or PKCS#12: openssl pkcs12 -export -in cert.pem -inkey key.pem -out both.pfx",
	assertion.CodePassword:    "set AZURE_CLIENT_CERTIFICATE_PASSWORD, or log in with the certificate: docker-credential-acr login LOGIN --certificate FILE",
	assertion.CodeOutdated:    "make a new one: az ad app credential reset --id CLIENT-ID --create-cert --append",

	machine.CodeNoIMDS:            "this seems to be no machine of Azure's, or its metadata service is blocked; log in as somebody else: docker-credential-acr login LOGIN",
	machine.CodeNoIdentity:        "assign the identity: az vm identity assign (or az webapp identity assign, az containerapp identity assign); or name one that it has: AZURE_CLIENT_ID",
	machine.CodeSeveralIdentities: "say which: AZURE_CLIENT_ID, or docker-credential-acr login LOGIN --managed-identity --client-id ID",
	machine.CodeSelector:          "name it by its client id, or leave it out",
	machine.CodeMismatch:          "set the variables for the whole process, not only for the library",
	machine.CodeVariable:          "Azure sets that variable; don't set it by hand",
	machine.CodeKeyFile:           "run as root or as a member of the group himds: usermod -aG himds USER",
	machine.CodePin:               "restart the application; Service Fabric has a new certificate",
	machine.CodeTransport:         "hand the library an *http.Transport",
	machine.CodeThrottled:         "wait, then try again; each token is asked for once where there is a keyring to keep it",
	machine.CodeTrouble:           "try again in a minute; the metadata service may be updating",
	machine.CodeOther:             traced,

	devtool.CodeAzdSignedOut:     azdLogin,
	devtool.CodeAzdMissing:       "install azd, or put it on the PATH",
	devtool.CodeAzdTimeout:       azdTry,
	devtool.CodeAzdFailed:        azdTry,
	devtool.CodePwshSignedOut:    connect,
	devtool.CodePwshMissing:      "install PowerShell, or put pwsh on the PATH",
	devtool.CodePwshNoModule:     "run: pwsh -Command Install-Module Az.Accounts",
	devtool.CodePwshTimeout:      connectTry,
	devtool.CodePwshFailed:       connectTry,
	devtool.CodePwshOtherTenant:  "run: pwsh -Command Connect-AzAccount -Tenant, with that tenant",
	devtool.CodeToolArgument:     "mend the config file; see Config file in the README",
	devtool.CodeAzNoSubscription: subscription,

	devtool.CodeAzSignedOut:   azLogin,
	devtool.CodeAzMissing:     azMissing,
	devtool.CodeAzTimeout:     azTry,
	devtool.CodeAzFailed:      azTry,
	devtool.CodeAzOtherTenant: "run: az account show, and az account set --subscription with the right one",

	exchange.CodeUnauthorized: role + anonymous,
	exchange.CodePassword:     "check name and password; passwords of the admin user: az acr credential show, of a token: az acr token credential generate",
	exchange.CodeFirewall:     "ask for the address to be allowed (az acr network-rule add), use the registry's private endpoint, or for a service of Azure's, allow trusted services (az acr update --allow-trusted-services)",
	exchange.CodeDenied:       "ask the registry's owner; the correlation id helps them",
	exchange.CodeNotFound:     "check the registry's name: az acr show --name NAME --query loginServer",
	exchange.CodeTooLarge:     "use a service principal: the identity is in too many groups",
	exchange.CodeThrottled:    "wait, then try again",
	exchange.CodeTrouble:      status,
	exchange.CodeOther:        traced,
	exchange.CodeExpired:      "check the clock of this machine and try again",

	guard.CodeProxy:       "check HTTPS_PROXY",
	guard.CodeDNS:         network,
	guard.CodeTLS:         "a proxy may be opening TLS connections; let the system trust its certificate, or set SSL_CERT_FILE",
	guard.CodeTimeout:     network,
	guard.CodeUnreachable: network,
	guard.CodeBroken:      network,
	guard.CodeRedirect:    proxy,
	guard.CodeNotJSON:     proxy,
	guard.CodeTooLong:     proxy,
	guard.CodeStranger:    proxy,

	clientconfig.CodeOtherHelper: "let it be, or replace it by --force; the logins that it keeps of other registries are found then only if the config file names it as delegate",
	clientconfig.CodeLaterFile:   "add \"acr\" to the credential-helpers there, or take that line out",
	clientconfig.CodeMalformed:   "mend that file, or move it away",
	atomicfile.CodeChanged:       "try again",
	clientconfig.CodeDropIn:      "write credential-helpers = [\"acr\", \"containers-auth.json\"] into it, or replace it by --force",
	atomicfile.CodeForeign:       "run the command as that user",

	vault.CodeSealed:    "put the keyring in order; or run: docker-credential-acr logout LOGIN, and log in again",
	vault.CodeElsewhere: "set DOCKER_CREDENTIAL_ACR_KEYRING as it was when the login was stored, or run: docker-credential-acr logout LOGIN, and log in again",
	vault.CodeKeyGone:   "run: docker-credential-acr logout LOGIN, and log in again",
	vault.CodeNewer:     "install the newer version again, or run: docker-credential-acr logout LOGIN, and log in again",
	vault.CodeChanged:   "try again",
	vault.CodeKeyStays:  "run this again where that keyring can be used, unlocked, or with DOCKER_CREDENTIAL_ACR_KEYRING as it was",
	vault.CodeVault:     "give that directory to yourself alone: chmod 700, as its owner",
	vault.CodeDamaged:   "run: docker-credential-acr logout LOGIN, and log in again",
}
