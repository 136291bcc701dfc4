package finding

// Codes of findings; those of failures which a get would meet, too, are that
// failure's own (acr-401, AADSTS7000222, http-dns, login-sealed …). They are never
// renamed.
const (
	codeOK      = "ok"
	codeSkipped = "skipped"
	CodeFailed  = "failed" // a failure without a code of its own

	CodeNotOnPath    = "binary-not-on-path"
	CodeShadowed     = "binary-shadowed"
	CodeSettings     = "settings"
	CodeNoVault      = "vault-no-place"
	CodeVault        = "vault-not-used"
	CodeLocked       = "keyring-locked"
	CodeUnavailable  = "keyring-unavailable"
	CodeNoKeyring    = "keyring-none"
	CodeHomeless     = "no-home"
	CodeNotWired     = "docker-not-wired"
	CodeKey          = "docker-key"
	CodeOther        = "docker-other-helper"
	CodeUnreadable   = "docker-config"
	CodeLeftover     = "docker-leftover"
	CodeAuthConfig   = "docker-auth-config"
	CodePodmanWiring = "podman-not-wired"
	CodePodmanOther  = "podman-other-helper"
	CodePodmanBroken = "podman-config"
	CodePodmanBefore = "podman-leftover"
	CodeNobody       = "nobody"
	CodeClock        = "clock"
	CodeBasic        = "challenge-basic"
	CodeNoChallenge  = "challenge-none"
	CodeRealm        = "challenge-realm"
	CodePermissions  = "permissions-none"
	CodePullMissing  = "permissions-no-pull"
	CodeNotAnonymous = "anonymous-refused"
	CodePassword     = "password-refused"
)

// hints are what to do about the codes above.
var hints = map[string]string{
	CodeNotOnPath:    "put its directory on the PATH of whatever runs Docker; sudo and desktop applications have a PATH of their own",
	CodeShadowed:     "remove the other one, or put this one's directory before its on the PATH",
	CodeSettings:     "correct that variable, or unset it",
	CodeNoVault:      "set HOME, or DOCKER_CREDENTIAL_ACR_HOME to a directory of yours",
	CodeVault:        "give that directory to yourself alone: chmod 700, as its owner",
	CodeLocked:       "run: docker-credential-acr unlock; or set DOCKER_CREDENTIAL_ACR_KEYRING=file for good",
	CodeUnavailable:  "start the keyring, or set DOCKER_CREDENTIAL_ACR_KEYRING=file for good",
	CodeNoKeyring:    "set DOCKER_CREDENTIAL_ACR_KEYRING=file for good, to keep tokens and logins sealed by a file of mode 0600",
	CodeHomeless:     "set HOME",
	CodeNotWired:     "run: docker-credential-acr configure REGISTRY --client docker",
	CodeKey:          "clients compare names letter by letter; run: docker-credential-acr unconfigure NAME, and docker-credential-acr configure REGISTRY",
	CodeOther:        "run: docker-credential-acr configure REGISTRY --client docker (with --force if credHelpers names the other one)",
	CodeUnreadable:   "mend the file: clients can't use it either",
	CodeLeftover:     "run: docker-credential-acr configure REGISTRY --client docker --remove-leftovers",
	CodeAuthConfig:   "unset DOCKER_AUTH_CONFIG, or take the registry out of it: Docker 29 and others read it first",
	CodePodmanWiring: "run: docker-credential-acr configure REGISTRY --client podman; or, for every registry, docker-credential-acr configure --all-registries --client podman",
	CodePodmanOther:  "run: docker-credential-acr configure REGISTRY --client podman --force",
	CodePodmanBroken: "mend the file: clients can't use it either",
	CodePodmanBefore: "run: docker-credential-acr configure REGISTRY --client podman --remove-leftovers",
	CodeNobody:       "run: docker-credential-acr login REGISTRY, or az login; for anonymous pull there is nothing to do",
	CodeClock:        "set the clock of this machine, or let it be set (timedatectl set-ntp true): Entra refuses assertions that are 5 minutes off",
	CodeBasic:        "check the registry's name; this is no registry that lets Entra identities in",
	CodeNoChallenge:  "check the registry's name, and for a proxy or portal between here and Azure",
	CodeRealm:        "something between here and Azure sends clients elsewhere for tokens: ask who runs the proxy or the name server",
	CodePermissions:  "ask for the role AcrPull (or AcrPush) on the registry; where it uses ABAC, name a repository: docker-credential-acr doctor REGISTRY/REPOSITORY",
	CodePullMissing:  "ask for the role AcrPull on the registry; where it uses ABAC, for Container Registry Repository Reader on that repository",
	CodeNotAnonymous: "run: docker-credential-acr login REGISTRY, or az login",
	CodePassword:     "run: docker-credential-acr login REGISTRY --username NAME, with the password as it is now",
}
