package identity

// An Error says what is wrong with the configuration: nothing was tried.
type Error struct {
	// Why is the rest of a sentence that began with the registry.
	Why string
	// Hint is what a hint is looked up by.
	Hint string
}

func (e *Error) Error() string { return e.Why }

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// Codes of errors, for hints.
const (
	CodeConfig      = "config"       // the config file can't be used
	CodeConfigMode  = "config-mode"  // others can write to it
	CodeNoProof     = "config-proof" // its application has no proof here, or another one's
	CodeNoAzureCLI  = "config-az"    // its Azure CLI isn't signed in
	CodeHalfSet     = "environment"  // variables are missing
	CodeBadVariable = "variable"     // a variable isn't of its form
	CodeWrongCloud  = "wrong-cloud"  // the authority belongs to another cloud than the registry

	CodeNoIDToken       = "github-permission" // GitHub Actions mints no token for this job
	CodeNoPipelineToken = "pipelines-token"   // Azure Pipelines doesn't map its access token
	CodeSignedOut       = "signed-out"        // the config file wants a person, and nobody has signed in
	CodePatterns        = "login-patterns"    // two logins match equally well

	CodeNoSubscription  = "config-az-subscription" // Azure CLI's profile doesn't list it
	CodeAzureCLIMissing = "config-az-missing"      // az can't be run
	CodeAzureCLICloud   = "config-az-cloud"        // the tool works for another cloud
	CodeAzdCloud        = "config-azd-cloud"
	CodePowerShellCloud = "config-pwsh-cloud"
)
