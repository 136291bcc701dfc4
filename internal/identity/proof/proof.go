// Package proof finds what an application proves itself by: in the environment, or
// in a file that somebody names. It reads, and sends nothing.
package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// An Environment is where variables are looked up.
type Environment struct{ Getenv func(string) string }

// Find finds what an application of the environment proves itself by, and which
// variable held it. Kind None means that there is nothing.
func (e Environment) Find(f Family) (identity.Identity, error) {
	oidc := f == Azure || e.Truthy("ARM_USE_OIDC")
	switch {
	case e.Getenv(f.Secret) != "":
		return e.Secret(f), nil
	case e.Getenv(f.Certificate) != "":
		return e.Certificate(e.Getenv(f.Certificate), f.CertificatePassword, f.Certificate)
	case e.First(f.CertificateContent) != "":
		content, err := base64.StdEncoding.DecodeString(e.Getenv(f.CertificateContent))
		if err != nil {
			return identity.Identity{}, &identity.Error{Why: f.CertificateContent + " is not base64", Hint: identity.CodeBadVariable}
		}
		return e.certificate(content, f.CertificatePassword, f.CertificateContent), nil
	case e.Getenv(f.TokenFile) != "" && oidc:
		return e.File(identity.WorkloadIdentity, e.Getenv(f.TokenFile), f.TokenFile)
	case e.Getenv(f.Token) != "" && oidc:
		return e.Token(f.Token)
	case f == ARM && e.Truthy("ARM_USE_AKS_WORKLOAD_IDENTITY"):
		return e.File(identity.WorkloadIdentity, e.Getenv(Azure.TokenFile), Azure.TokenFile)
	case e.Pipelines(f) != nil && oidc:
		return AzurePipelines(*e.Pipelines(f)), nil
	case e.GitHub(f) != nil && oidc:
		return GitHubActions(*e.GitHub(f)), nil
	}
	return identity.Identity{}, nil
}

// Secret is a client secret in a variable.
func (e Environment) Secret(f Family) identity.Identity {
	s := secret.New(e.Getenv(f.Secret))
	return identity.Identity{Kind: identity.ServicePrincipal, Secret: s, Fingerprint: s.Fingerprint(), Source: f.Secret}
}

// Certificate reads a certificate with its key. The file is read again for
// every choice, because its content is what tells one owner from another.
func (e Environment) Certificate(path, password, source string) (identity.Identity, error) {
	content, err := read("certificate", path, source)
	if err != nil {
		return identity.Identity{}, err
	}
	return e.certificate(content, password, source), nil
}

func (e Environment) certificate(content []byte, password, source string) identity.Identity {
	certificate := identity.Certificate{
		Content: secret.New(string(content)), Password: secret.New(e.Getenv(password)),
		SendChain: e.Truthy("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"),
	}
	return identity.Identity{
		Kind: identity.ServicePrincipal, Certificate: &certificate, Source: source,
		Fingerprint: Hash("certificate", certificate.Content.Fingerprint(), certificate.Password.Fingerprint()),
	}
}

// read reads a file that a variable or a config file names.
func read(what, path, source string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, &identity.Error{Why: fmt.Sprintf("%s names %s, which is not an absolute path", source, identity.Printable(path)), Hint: identity.CodeBadVariable}
	}
	content, err := owner.ReadRegular(path)
	if err != nil {
		return nil, &identity.Error{Why: fmt.Sprintf("reading the %s that %s names: %v", what, source, err), Hint: identity.CodeBadVariable}
	}
	return content, nil
}

// File is an assertion in a file. Who it speaks of can be read without
// verifying it, and stays when the file's content is replaced.
func (e Environment) File(kind identity.Kind, path, source string) (identity.Identity, error) {
	content, err := read("token", path, source)
	if err != nil {
		return identity.Identity{}, err
	}
	speaksOf, err := subject(strings.TrimSpace(string(content)))
	if err != nil {
		return identity.Identity{}, &identity.Error{Why: fmt.Sprintf("%s names %s, which holds %v", source, identity.Printable(path), err), Hint: identity.CodeBadVariable}
	}
	f := identity.Federation{File: path}
	if kind == identity.WorkloadIdentity {
		f.Proxy = identity.TokenProxy{
			URL: e.Getenv("AZURE_KUBERNETES_TOKEN_PROXY"), ServerName: e.Getenv("AZURE_KUBERNETES_SNI_NAME"),
			CAFile: e.Getenv("AZURE_KUBERNETES_CA_FILE"), CAData: e.Getenv("AZURE_KUBERNETES_CA_DATA"),
		}
	}
	return identity.Identity{Kind: kind, Federation: &f, Fingerprint: speaksOf, Source: source}, nil
}

// Token is an assertion in a variable.
func (e Environment) Token(variable string) (identity.Identity, error) {
	token := strings.TrimSpace(e.Getenv(variable))
	speaksOf, err := subject(token)
	if err != nil {
		return identity.Identity{}, &identity.Error{Why: fmt.Sprintf("%s holds %v", variable, err), Hint: identity.CodeBadVariable}
	}
	return identity.Identity{Kind: identity.FederatedToken, Federation: &identity.Federation{Token: secret.New(token)}, Fingerprint: speaksOf, Source: variable}, nil
}

// GitHub is where GitHub Actions mints tokens for a job that has the permission
// id-token: write; nil elsewhere. (GitHub Docs, "OpenID Connect reference".)
func (e Environment) GitHub(f Family) *identity.Federation {
	return e.Issuer("", e.First(f.RequestURL, "ACTIONS_ID_TOKEN_REQUEST_URL"), e.First(f.RequestToken, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
}

// GitHubActions is a job of GitHub's, told from others by its request token.
func GitHubActions(f identity.Federation) identity.Identity {
	return identity.Identity{
		Kind: identity.GitHubActions, Federation: &f, Source: "ACTIONS_ID_TOKEN_REQUEST_URL",
		Fingerprint: Hash("github", f.RequestToken.Fingerprint()),
	}
}

// Pipelines is where Azure Pipelines mints tokens for the service connection that
// its task runs with; nil elsewhere, and where the pipeline doesn't map its access
// token. (Microsoft Learn, "Azure DevOps REST API, Oidctoken - Create".)
func (e Environment) Pipelines(f Family) *identity.Federation {
	if e.Getenv(f.Connection) == "" {
		return nil
	}
	return e.Issuer(e.Getenv(f.Connection), e.First(f.RequestURL, "SYSTEM_OIDCREQUESTURI"), e.First(f.RequestToken, "SYSTEM_ACCESSTOKEN"))
}

// AzurePipelines is a job of Azure Pipelines' with a service connection.
func AzurePipelines(f identity.Federation) identity.Identity {
	return identity.Identity{
		Kind: identity.AzurePipelines, Federation: &f, Source: "SYSTEM_OIDCREQUESTURI",
		Fingerprint: Hash("pipelines", f.RequestToken.Fingerprint(), f.Connection),
	}
}

// Issuer is a place where tokens are minted; nil unless both its address and the
// token that opens it are known.
func (e Environment) Issuer(connection, address, token string) *identity.Federation {
	if address == "" || token == "" {
		return nil
	}
	return &identity.Federation{RequestURL: address, RequestToken: secret.New(token), Connection: connection}
}

// First is the value of the first variable that is set.
func (e Environment) First(names ...string) string {
	for _, name := range names {
		if value := e.Getenv(name); name != "" && value != "" {
			return value
		}
	}
	return ""
}

// subject is whom an assertion speaks of: issuer, subject and audience, without
// verifying them. That is Entra's business.
func subject(assertion string) (string, error) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, &claims); err != nil || claims.Issuer == "" || claims.Subject == "" {
		return "", fmt.Errorf("no token that says whom it is for") // the parser's text could quote it
	}
	return Hash(append([]string{"assertion", claims.Issuer, claims.Subject}, claims.Audience...)...), nil
}

// Hash joins what tells one identity from another.
func Hash(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:])
}

// Truthy says whether a variable is switched on.
func (e Environment) Truthy(name string) bool {
	value := strings.ToLower(e.Getenv(name))
	return value == "true" || value == "1"
}
