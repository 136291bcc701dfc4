package selection

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// fromEntry returns the identity of a config entry, or of a login without a secret. What
// it leaves out comes from the environment.
func (s Selector) fromEntry(host registry.Host, e config.Entry) (identity.Identity, error) {
	tools := []identity.Kind{identity.AzureCLI, identity.AzureDeveloperCLI, identity.AzurePowerShell}
	isTool := slices.Contains(tools, e.Identity)
	if isTool && s.Kubelet != nil {
		return refuse(fault.Config, "%skubelet can't use it", selects(e, string(e.Identity)))
	}
	switch e.Identity {
	case identity.Anonymous:
		return identity.Identity{Kind: identity.Anonymous, Source: e.Source}, nil
	case identity.User:
		return refuse(fault.UserSignedOut, "%sno user has signed in", selects(e, "a user"))
	case identity.ManagedIdentity:
		return s.managedIdentity(e, e.Source), nil
	case identity.AzureDeveloperCLI, identity.AzurePowerShell:
		return s.toolAccount(host, e)
	case identity.AzureCLI:
		if e.Subscription != "" {
			return s.subscription(host, e)
		}
		id, _, err := s.azureCLI(host, e)
		if err != nil {
			reason := selects(e, "azure-cli") + err.Error()
			return identity.Identity{}, &fault.Error{Code: fault.CodeOf(err), Reason: reason, Cause: err}
		}
		id.Source = e.Source
		return id, nil
	}
	return s.application(e)
}

// application returns an entry's application with the credential of the entry or the
// environment, if that is not another application's.
func (s Selector) application(e config.Entry) (identity.Identity, error) {
	id, err := s.credential(e)
	if err != nil {
		return identity.Identity{}, err
	}
	id.ClientID = cmp.Or(e.ClientID, s.getenv(azureVars.clientID))
	id.Tenant = s.defaultTenant(e)
	if id.Kind == identity.AzurePipelines {
		id.ClientID = cmp.Or(e.ClientID, s.getenv(pipelinesClientID), id.ClientID)
		id.Tenant = cmp.Or(id.Tenant, s.getenv(pipelinesTenant))
	}
	switch {
	case id.ClientID == "" && e.Identity == identity.WorkloadIdentity && s.isInPod():
		return refuse(fault.WorkloadClientID, "%sno client ID is set (clientId or AZURE_CLIENT_ID)",
			selects(e, string(e.Identity)))
	case id.ClientID != "" && id.ClientID == s.getenv(azureVars.clientID) && !text.IsGUID(id.ClientID):
		return identity.Identity{}, s.invalid(fault.VariableClientID, azureVars.clientID, "is not a GUID")
	case id.Tenant == "" && s.getenv(azureVars.tenant) != "":
		return identity.Identity{}, s.invalid(fault.Variable, azureVars.tenant, "is neither a GUID nor a domain")
	case !text.IsGUID(id.ClientID):
		return refuse(fault.Config, "%sno client ID is set (clientId or AZURE_CLIENT_ID)", selects(e, string(e.Identity)))
	case !text.IsTenant(id.Tenant):
		return refuse(fault.Config, "%sno tenant is set (tenant or AZURE_TENANT_ID)",
			selects(e, e.Identity.ApplicationName()+" "+id.ClientID))
	}
	id.Source = e.Source
	return id, nil
}

// credential returns the credential of an entry's application.
func (s Selector) credential(e config.Entry) (identity.Identity, error) {
	switch e.Identity {
	case identity.ServicePrincipal:
		return s.servicePrincipal(e)
	case identity.WorkloadIdentity:
		if path := cmp.Or(e.TokenFile, s.getenv(azureVars.tokenFile)); path != "" {
			return s.tokenFile(identity.WorkloadIdentity, path, e.Source)
		}
		return noCredential(fault.ConfigTokenFile, e, azureVars.tokenFile)
	case identity.FederatedToken:
		return s.federatedToken(e)
	case identity.GitHubActions:
		if id := s.jobToken(identity.GitHubActions, azureVars, ""); id.Kind != identity.None {
			return id, nil
		}
		return refuse(fault.GitHubPermission, "%sGitHub Actions does not issue an ID token to this job",
			selects(e, "github-actions"))
	}
	// The check of entries allows no other kind than AzurePipelines.
	connection := cmp.Or(e.ServiceConnection, s.getenv(azureVars.connection), s.getenv(armVars.connection))
	if id := s.jobToken(identity.AzurePipelines, azureVars, connection); id.Kind != identity.None {
		return id, nil
	}
	return s.noPipelinesToken(azureVars, connection, selects(e, "azure-pipelines"))
}

func (s Selector) servicePrincipal(e config.Entry) (identity.Identity, error) {
	if e.Certificate != "" {
		return s.certificateFile(e.Certificate, azureVars.certificatePassword, e.Source)
	}
	name := azureVars.secret
	if s.getenv(name) == "" && s.getenv(azureVars.certificate) != "" {
		name = azureVars.certificate
	}
	owner := s.getenv(azureVars.clientID)
	switch {
	case s.getenv(name) == "":
		return noCredential(fault.ConfigCredential, e, name)
	case owner != "" && !strings.EqualFold(owner, e.ClientID):
		return identity.Identity{}, &fault.Error{
			Code: fault.ConfigCredentialOwner, Object: azureVars.clientID,
			Reason: fmt.Sprintf("%s%s belongs to %s", selects(e, "service principal "+e.ClientID), name, text.Line(owner)),
		}
	}
	return s.fromVariables(&envNames{
		secret: azureVars.secret, certificate: azureVars.certificate, certificatePassword: azureVars.certificatePassword,
	})
}

func (s Selector) federatedToken(e config.Entry) (identity.Identity, error) {
	name := cmp.Or(e.TokenVariable, azureVars.token)
	switch {
	case e.TokenFile != "":
		return s.tokenFile(identity.FederatedToken, e.TokenFile, e.Source)
	case e.FederatedBy != "":
		managed := s.managedIdentity(config.Entry{}, identity.Source{})
		return identity.Identity{
			Kind: identity.FederatedToken, Federation: &identity.Federation{ManagedIdentity: e.FederatedBy},
			Endpoint: managed.Endpoint, Fingerprint: hash("federated", managed.Fingerprint, e.FederatedBy),
		}, nil
	case s.getenv(name) != "":
		return s.token(name)
	}
	return noCredential(fault.ConfigCredential, e, name)
}

func noCredential(code fault.Code, e config.Entry, variable string) (identity.Identity, error) {
	what := strings.TrimSpace(e.Identity.ApplicationName() + " " + e.ClientID)
	return identity.Identity{}, &fault.Error{
		Code: code, Object: variable, Reason: selects(e, what) + variable + " is not set",
	}
}

// selects begins the sentence for an entry that can't be used. What the command line
// selects is known to the user.
func selects(e config.Entry, what string) string {
	if e.Source.Kind == identity.FromCommandLine {
		return ""
	}
	return fmt.Sprintf("%s selects %s, but ", e.Source, what)
}

// noPipelinesToken says what Azure Pipelines doesn't give to the job.
func (s Selector) noPipelinesToken(f *envNames, connection, prefix string) (identity.Identity, error) {
	if connection == "" && cmp.Or(s.getenv(f.requestToken), s.getenv("SYSTEM_ACCESSTOKEN")) != "" {
		return refuse(fault.PipelinesConnection, "%sno Azure Pipelines service connection is set", prefix)
	}
	return refuse(fault.PipelinesToken, "%sSYSTEM_ACCESSTOKEN is not set", prefix)
}

// certificateFile reads a certificate with its key. It is read for every selection,
// because its content is what tells one owner from another.
func (s Selector) certificateFile(path, passwordVar string, source identity.Source) (identity.Identity, error) {
	content, err := readNamed("certificate", path, source)
	if err != nil {
		return identity.Identity{}, err
	}
	return s.certificate(content, passwordVar, source), nil
}

func (s Selector) certificate(content []byte, passwordVar string, source identity.Source) identity.Identity {
	c := identity.Certificate{
		Content: secret.New(string(content)), Password: secret.New(strings.TrimRight(s.Getenv(passwordVar), "\r\n")),
		SendChain: s.isOn("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"),
	}
	return identity.Identity{
		Kind: identity.ServicePrincipal, Certificate: &c, Source: source, Fingerprint: certificateFingerprint(c),
	}
}

func certificateFingerprint(c identity.Certificate) string {
	return hash("certificate", c.Content.Fingerprint(), c.Password.Fingerprint())
}

// readNamed reads a file whose path a variable or a config file has.
func readNamed(what, path string, source identity.Source) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, fault.InvalidVariable(fault.VariablePath, source.Name, path,
			fmt.Sprintf("is %q, which is not an absolute path", path))
	}
	content, err := safefile.Read(path, safefile.MaxText)
	if err == nil {
		content, err = safefile.Text(content)
	}
	if err != nil {
		return nil, fault.New(fault.VariableFile, "can't read the %s%s: %v", what, from(path, source), err)
	}
	return content, nil
}

// from shows a path, and where it comes from unless the user has just typed it.
func from(path string, source identity.Source) string {
	if source.Kind == identity.FromCommandLine {
		return " " + text.Line(path)
	}
	return fmt.Sprintf(" %s (from %s)", text.Line(path), source)
}

// hash joins what tells one identity from another.
func hash(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:])
}
