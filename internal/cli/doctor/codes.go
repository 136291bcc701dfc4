package doctor

// Codes of findings; those of failures which a get would meet, too, are that
// failure's own (acr-401, AADSTS7000222, http-dns, login-sealed …). They are never
// renamed.
const (
	codeOK      = "ok"
	codeSkipped = "skipped"
	codeFailed  = "failed" // a failure without a code of its own

	codeNotOnPath    = "binary-not-on-path"
	codeShadowed     = "binary-shadowed"
	codeSettings     = "settings"
	codeNoVault      = "vault-no-place"
	codeVault        = "vault-not-used"
	codeLocked       = "keyring-locked"
	codeUnavailable  = "keyring-unavailable"
	codeNoKeyring    = "keyring-none"
	codeNotWired     = "docker-not-wired"
	codeKey          = "docker-key"
	codeOther        = "docker-other-helper"
	codeUnreadable   = "docker-config"
	codeLeftover     = "docker-leftover"
	codeAuthConfig   = "docker-auth-config"
	codePodmanWiring = "podman-not-wired"
	codePodmanOther  = "podman-other-helper"
	codePodmanBroken = "podman-config"
	codePodmanBefore = "podman-leftover"
	codeNobody       = "nobody"
	codeClock        = "clock"
	codeBasic        = "challenge-basic"
	codeNoChallenge  = "challenge-none"
	codeRealm        = "challenge-realm"
	codePermissions  = "permissions-none"
	codePullMissing  = "permissions-no-pull"
	codeNotAnonymous = "anonymous-refused"
	codePassword     = "password-refused"
)

// hints are what to do about the codes above.
var hints = map[string]string{
	codeNotOnPath:    "put its directory on the PATH of whatever runs Docker; sudo and desktop applications have a PATH of their own",
	codeShadowed:     "remove the other one, or put this one's directory before its on the PATH",
	codeSettings:     "correct that variable, or unset it",
	codeNoVault:      "set HOME, or DOCKER_CREDENTIAL_ACR_HOME to a directory of yours",
	codeVault:        "give that directory to yourself alone: chmod 700, as its owner",
	codeLocked:       "run: docker-credential-acr unlock; or set DOCKER_CREDENTIAL_ACR_KEYRING=file for good",
	codeUnavailable:  "start the keyring, or set DOCKER_CREDENTIAL_ACR_KEYRING=file for good",
	codeNoKeyring:    "set DOCKER_CREDENTIAL_ACR_KEYRING=file for good, to keep tokens and logins sealed by a file of mode 0600",
	codeNotWired:     "run: docker-credential-acr configure REGISTRY --client docker",
	codeKey:          "run: docker-credential-acr configure REGISTRY --client docker; clients compare names letter by letter, so that only the bare host in lower case will do",
	codeOther:        "run: docker-credential-acr configure REGISTRY --client docker (with --force if credHelpers names the other one)",
	codeUnreadable:   "mend the file; clients can't read it either",
	codeLeftover:     "run: docker-credential-acr configure REGISTRY --client docker --remove-leftovers",
	codeAuthConfig:   "unset DOCKER_AUTH_CONFIG, or take the registry out of it: Docker 29 and others read it first",
	codePodmanWiring: "run: docker-credential-acr configure REGISTRY --client podman; or, for every registry, docker-credential-acr configure --all-registries --client podman",
	codePodmanOther:  "run: docker-credential-acr configure REGISTRY --client podman --force",
	codePodmanBroken: "mend the file; clients can't read it either",
	codePodmanBefore: "run: docker-credential-acr configure REGISTRY --client podman --remove-leftovers",
	codeNobody:       "run: az login, or docker-credential-acr login REGISTRY; for anonymous pull there is nothing to do",
	codeClock:        "set the clock of this machine, or let it be set (timedatectl set-ntp true): Entra refuses assertions that are 5 minutes off",
	codeBasic:        "check the registry's name; this is no registry that lets Entra identities in",
	codeNoChallenge:  "check the registry's name, and for a proxy or portal between here and Azure",
	codeRealm:        "something between here and Azure sends clients elsewhere for tokens: ask who runs the proxy or the name server",
	codePermissions:  "ask for the role AcrPull (or AcrPush) on the registry; where it uses ABAC, name a repository: docker-credential-acr doctor REGISTRY/REPOSITORY",
	codePullMissing:  "ask for the role AcrPull on the registry; where it uses ABAC, for Container Registry Repository Reader on that repository",
	codeNotAnonymous: "run: az login, or docker-credential-acr login REGISTRY",
	codePassword:     "run: docker-credential-acr login REGISTRY --username NAME, with the password as it is now",
}
