package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// clientID is what token requests name as their client.
const clientID = "docker-credential-acr"

// A Challenge is a registry's answer to a request without a token. Clients need it; a get
// does not.
type Challenge struct {
	// Issuer signed the certificate: Azure's own issuer, or a proxy that inspects TLS.
	Issuer string
	// Date is the registry's clock; zero if it doesn't say.
	Date time.Time
	// Scheme, Realm and Service are those of the challenge; "" without one.
	Scheme, Realm, Service string
}

// Challenge asks for /v2/ without a token, at the cost of one request. Even with an error,
// what is known of the certificate and the clock is returned too.
func (c Client) Challenge(ctx context.Context, host registry.Host) (Challenge, error) {
	resp, body, err := c.send(host, newRequest(ctx, host, http.MethodGet, "/v2/", nil))
	if resp == nil {
		return Challenge{}, err
	}
	var challenge Challenge
	challenge.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		challenge.Issuer = resp.TLS.PeerCertificates[0].Issuer.CommonName
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return challenge, refusal(resp, body)
	}
	if lines := resp.Header.Values("Www-Authenticate"); len(lines) == 1 {
		challenge.Scheme, _, _ = strings.Cut(lines[0], " ")
		challenge.Realm, challenge.Service = parameter("realm", lines[0]), parameter("service", lines[0])
	}
	return challenge, nil
}

// parameter returns one of a challenge's quoted parameters (RFC 6750 §3).
func parameter(name, challenge string) string {
	return find(`[ ,]`+name+`="([!#-~]*)"`, challenge)
}

// Permissions asks, as clients do, for an access token for a repository, which need not
// exist, and returns what the token permits there, at the cost of one request. Without
// user and password it asks anonymously.
func (c Client) Permissions(
	ctx context.Context, host registry.Host, user string, password secret.String, repository string, actions ...string,
) ([]string, error) {
	_, body, err := c.send(host, newRequest(ctx, host, http.MethodPost, "/oauth2/token", url.Values{
		"grant_type": {"password"}, "username": {user}, "password": {password.Reveal()},
		"client_id": {clientID}, "service": {host.Global()},
		"scope": {"repository:" + repository + ":" + strings.Join(actions, ",")},
	}))
	if err != nil {
		return nil, err
	}
	return permitted(host, body, repository)
}

// permitted returns the actions in the access claim of the token in an answer
// (distribution specification, "Token Authentication Implementation").
func permitted(host registry.Host, body []byte, repository string) (actions []string, err error) {
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	var claims struct {
		jwt.RegisteredClaims
		Access []struct {
			Type, Name string
			Actions    []string
		} `json:"access"`
	}
	if json.Unmarshal(body, &answer) == nil {
		_, _, err = jwt.NewParser().ParseUnverified(answer.AccessToken, &claims)
	}
	if err != nil || answer.AccessToken == "" {
		return nil, unexpected(host, fault.NotJSON, "returned no readable access_token")
	}
	for _, a := range claims.Access {
		if a.Type == "repository" && a.Name == repository {
			actions = append(actions, a.Actions...)
		}
	}
	return actions, nil
}

// CheckPassword returns an error unless a registry user (the admin user, or a
// repository-scoped token) can sign in, at the cost of one request, that of docker login.
// (Distribution, "Token Authentication Specification".)
func (c Client) CheckPassword(ctx context.Context, host registry.Host, user string, password secret.String) error {
	req := newRequest(ctx, host, http.MethodGet, "/oauth2/token", nil)
	req.URL.RawQuery = url.Values{"service": {host.String()}, "account": {user}, "client_id": {clientID}}.Encode()
	req.SetBasicAuth(user, password.Reveal())
	_, _, err := c.send(host, req)
	if refused, ok := errors.AsType[*fault.Error](err); ok && refused.Code == fault.RegistryUnauthorized {
		refused.Code = fault.RegistryPassword // a registry user has no role
	}
	return err
}
