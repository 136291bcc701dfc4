package selection

import (
	"cmp"
	"errors"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// tokenFile returns an assertion in a file. Its subject can be read without verifying it,
// and stays the same when the file is replaced.
func (s Selector) tokenFile(kind identity.Kind, path string, source identity.Source) (identity.Identity, error) {
	content, err := readNamed("token", path, source)
	if err != nil {
		return identity.Identity{}, err
	}
	token := strings.TrimSpace(string(content))
	claims, err := parseAssertion(token)
	if err != nil {
		return refuse(fault.VariableFile, "the file%s is %v", from(path, source), err)
	}
	f := identity.Federation{File: path}
	if kind == identity.WorkloadIdentity {
		f.Proxy = identity.TokenProxy{
			URL: s.getenv("AZURE_KUBERNETES_TOKEN_PROXY"), ServerName: s.getenv("AZURE_KUBERNETES_SNI_NAME"),
			CAFile: s.getenv("AZURE_KUBERNETES_CA_FILE"), CAData: s.getenv("AZURE_KUBERNETES_CA_DATA"),
		}
	}
	id := identity.Identity{
		Kind: kind, Federation: &f, Source: source, Fingerprint: hash(append([]string{
			"assertion", path, claims.Issuer, claims.Subject, claims.Kubernetes.ServiceAccount.UID,
		}, claims.Audience...)...),
		Assertion: identity.Assertion{Hash: secret.New(token).Fingerprint()},
	}
	if claims.ExpiresAt != nil {
		id.Assertion.Expires = claims.ExpiresAt.Time
	}
	return id, nil
}

// token returns an assertion in a variable. Everyone who sets the variable could make up its
// subject, so the whole assertion is the fingerprint.
func (s Selector) token(name string) (identity.Identity, error) {
	token := strings.TrimSpace(s.getenv(name))
	if _, err := parseAssertion(token); err != nil {
		return identity.Identity{}, s.invalid(fault.Variable, name, "is %v", err)
	}
	return identity.Identity{
		Kind: identity.FederatedToken, Federation: &identity.Federation{Token: secret.New(token)},
		Fingerprint: hash("assertion", secret.New(token).Fingerprint()), Source: variable(name),
	}, nil
}

// jobToken returns the application of a job for which GitHub Actions or Azure Pipelines
// issues assertions on request: one with the permission id-token: write, or one with a
// service connection that maps its access token. Kind None elsewhere. (GitHub Docs,
// "OpenID Connect reference"; Microsoft Learn, "Azure DevOps REST API, Oidctoken -
// Create".)
func (s Selector) jobToken(kind identity.Kind, f *envNames, connection string) identity.Identity {
	requestURL, requestToken := "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	if kind == identity.AzurePipelines {
		requestURL, requestToken = "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"
	}
	if s.getenv(f.requestURL) != "" {
		requestURL = f.requestURL
	}
	address := s.getenv(requestURL)
	token := secret.New(cmp.Or(s.getenv(f.requestToken), s.getenv(requestToken)))
	if address == "" || token.IsZero() || kind == identity.AzurePipelines && connection == "" {
		return identity.Identity{}
	}
	return identity.Identity{
		Kind: kind, Source: variable(requestURL), Fingerprint: hash(string(kind), token.Fingerprint(), connection),
		Federation: &identity.Federation{RequestURL: address, RequestToken: token, Connection: connection},
	}
}

// assertionClaims are what an assertion says about itself; Kubernetes adds who exactly the
// service account is, because another one may get its name later.
type assertionClaims struct {
	jwt.RegisteredClaims
	Kubernetes struct {
		ServiceAccount struct {
			UID string `json:"uid"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// parseAssertion reads an assertion without verifying it: Entra does.
func parseAssertion(assertion string) (claims assertionClaims, err error) {
	_, _, err = jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil || claims.Issuer == "" || claims.Subject == "" {
		return claims, errors.New("not a JSON Web Token with an issuer and a subject") // the parser's error may quote it
	}
	return claims, nil
}
