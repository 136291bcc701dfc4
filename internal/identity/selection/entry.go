package selection

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/golang-jwt/jwt/v5"

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
	switch e.Identity {
	case identity.Anonymous:
		return identity.Identity{Kind: identity.Anonymous, Source: e.Source}, nil
	case identity.User:
		return refuse(fault.UserSignedOut, "%s selects a user, and no user has signed in", e.Source)
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
			return refuse(fault.CodeOf(err), "%s selects azure-cli, but %v", e.Source, err)
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
	id.ClientID = cmp.Or(e.ClientID, s.Getenv(azureVars.clientID))
	id.Tenant = s.defaultTenant(e)
	if id.Kind == identity.AzurePipelines {
		id.ClientID = cmp.Or(e.ClientID, s.Getenv(pipelinesClientID), id.ClientID)
		id.Tenant = cmp.Or(id.Tenant, s.Getenv(pipelinesTenant))
	}
	switch {
	case !text.IsGUID(id.ClientID):
		return refuse(fault.Config, "%s selects %s, but there is no client ID", e.Source, e.Identity)
	case !text.IsTenant(id.Tenant):
		return refuse(fault.Config, "%s selects %s %s, but there is no tenant",
			e.Source, e.Identity.ApplicationName(), id.ClientID)
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
		if path := cmp.Or(e.TokenFile, s.Getenv(azureVars.tokenFile)); path != "" {
			return s.tokenFile(identity.WorkloadIdentity, path, e.Source)
		}
		return noCredential(e, azureVars.tokenFile)
	case identity.FederatedToken:
		return s.federatedToken(e)
	case identity.GitHubActions:
		if id := s.jobToken(identity.GitHubActions, azureVars, ""); id.Kind != identity.None {
			return id, nil
		}
		return refuse(fault.GitHubPermission, "%s selects github-actions, but GitHub gives this job no token", e.Source)
	}
	// The check of entries allows no other kind than AzurePipelines.
	connection := cmp.Or(e.ServiceConnection, s.Getenv(azureVars.connection), s.Getenv(armVars.connection))
	if id := s.jobToken(identity.AzurePipelines, azureVars, connection); id.Kind != identity.None {
		return id, nil
	}
	return refuse(fault.PipelinesToken,
		"%s selects azure-pipelines, but SYSTEM_ACCESSTOKEN or the service connection is not set", e.Source)
}

func (s Selector) servicePrincipal(e config.Entry) (identity.Identity, error) {
	if e.Certificate != "" {
		return s.certificateFile(e.Certificate, azureVars.certificatePassword, e.Source)
	}
	name := azureVars.secret
	if s.Getenv(name) == "" && s.Getenv(azureVars.certificate) != "" {
		name = azureVars.certificate
	}
	owner := s.Getenv(azureVars.clientID)
	switch {
	case s.Getenv(name) == "":
		return noCredential(e, name)
	case owner != "" && !strings.EqualFold(owner, e.ClientID):
		return refuse(fault.ConfigCredential, "%s selects service principal %s, but %s belongs to %s",
			e.Source, e.ClientID, name, text.Line(owner))
	}
	return s.fromVariables(&family{
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
	case s.Getenv(name) != "":
		return s.token(name)
	}
	return noCredential(e, name)
}

func noCredential(e config.Entry, variable string) (identity.Identity, error) {
	return refuse(fault.ConfigCredential, "%s selects %s %s, but %s is not set",
		e.Source, e.Identity.ApplicationName(), cmp.Or(e.ClientID, "of AZURE_CLIENT_ID"), variable)
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
		Content: secret.New(string(content)), Password: secret.New(s.Getenv(passwordVar)),
		SendChain: s.isOn("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"),
	}
	return identity.Identity{
		Kind: identity.ServicePrincipal, Certificate: &c, Source: source,
		Fingerprint: hash("certificate", c.Content.Fingerprint(), c.Password.Fingerprint()),
	}
}

// readNamed reads a file that a variable or a config file names.
func readNamed(what, path string, source identity.Source) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, fault.New(fault.Variable, "%s names %s, which is not an absolute path", source, text.Line(path))
	}
	content, err := safefile.Read(path, safefile.MaxText)
	if err != nil {
		return nil, fault.New(fault.Variable, "reading the %s that %s names: %s: %v", what, source, text.Line(path), err)
	}
	return content, nil
}

// tokenFile returns an assertion in a file. Its subject can be read without verifying it,
// and stays the same when the file is replaced.
func (s Selector) tokenFile(kind identity.Kind, path string, source identity.Source) (identity.Identity, error) {
	content, err := readNamed("token", path, source)
	if err != nil {
		return identity.Identity{}, err
	}
	fingerprint, err := subject(strings.TrimSpace(string(content)))
	if err != nil {
		return refuse(fault.Variable, "%s names %s, which is %v", source, text.Line(path), err)
	}
	f := identity.Federation{File: path}
	if kind == identity.WorkloadIdentity {
		f.Proxy = identity.TokenProxy{
			URL: s.Getenv("AZURE_KUBERNETES_TOKEN_PROXY"), ServerName: s.Getenv("AZURE_KUBERNETES_SNI_NAME"),
			CAFile: s.Getenv("AZURE_KUBERNETES_CA_FILE"), CAData: s.Getenv("AZURE_KUBERNETES_CA_DATA"),
		}
	}
	return identity.Identity{Kind: kind, Federation: &f, Fingerprint: fingerprint, Source: source}, nil
}

// token returns an assertion in a variable.
func (s Selector) token(name string) (identity.Identity, error) {
	token := strings.TrimSpace(s.Getenv(name))
	fingerprint, err := subject(token)
	if err != nil {
		return refuse(fault.Variable, "%s is %v", name, err)
	}
	return identity.Identity{
		Kind: identity.FederatedToken, Federation: &identity.Federation{Token: secret.New(token)},
		Fingerprint: fingerprint, Source: variable(name),
	}, nil
}

// jobToken returns the application of a job for which GitHub Actions or Azure Pipelines
// issues assertions on request: one with the permission id-token: write, or one with a
// service connection that maps its access token. Kind None elsewhere. (GitHub Docs,
// "OpenID Connect reference"; Microsoft Learn, "Azure DevOps REST API, Oidctoken -
// Create".)
func (s Selector) jobToken(kind identity.Kind, f *family, connection string) identity.Identity {
	requestURL, requestToken := "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	if kind == identity.AzurePipelines {
		requestURL, requestToken = "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"
	}
	if s.Getenv(f.requestURL) != "" {
		requestURL = f.requestURL
	}
	address := s.Getenv(requestURL)
	token := secret.New(cmp.Or(s.Getenv(f.requestToken), s.Getenv(requestToken)))
	if address == "" || token.IsZero() || kind == identity.AzurePipelines && connection == "" {
		return identity.Identity{}
	}
	return identity.Identity{
		Kind: kind, Source: variable(requestURL), Fingerprint: hash(string(kind), token.Fingerprint(), connection),
		Federation: &identity.Federation{RequestURL: address, RequestToken: token, Connection: connection},
	}
}

// subject returns a hash of an assertion's issuer, subject and audience, without
// verifying them: Entra does.
func subject(assertion string) (string, error) {
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil || claims.Issuer == "" || claims.Subject == "" {
		return "", errors.New("not a token with an issuer and a subject") // the parser's error may quote it
	}
	return hash(append([]string{"assertion", claims.Issuer, claims.Subject}, claims.Audience...)...), nil
}

// hash joins what tells one identity from another.
func hash(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:])
}
