package exchange

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Challenge is what a registry says to whoever shows no token. A get has no use
// for it; clients have.
type Challenge struct {
	// Issuer vouches for the certificate that was shown: Azure's own issuer, or
	// somebody who opens TLS connections on the way.
	Issuer string
	// Date is the registry's clock; zero if it doesn't say.
	Date time.Time
	// Scheme, Realm and Service are those of the challenge; empty without one.
	Scheme, Realm, Service string
}

// Challenge asks for /v2/ without any token, at the cost of one request. What is
// known of the certificate and the clock is answered beside an Error, too.
func (c Client) Challenge(ctx context.Context, host registry.Host) (Challenge, error) {
	endpoint := url.URL{Scheme: "https", Host: host.String(), Path: "/v2/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.String(), nil)
	if err != nil {
		return Challenge{}, err
	}
	resp, body, err := c.send(host, req)
	if err != nil {
		return Challenge{}, err
	}
	var found Challenge
	found.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		found.Issuer = resp.TLS.PeerCertificates[0].Issuer.CommonName
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return found, newError(resp, body)
	}
	if lines := resp.Header.Values("Www-Authenticate"); len(lines) == 1 {
		found.Scheme, _, _ = strings.Cut(lines[0], " ")
		found.Realm, found.Service = parameter("realm", lines[0]), parameter("service", lines[0])
	}
	return found, nil
}

// parameter reads one of a challenge's quoted parameters (RFC 6750 §3).
func parameter(name, challenge string) string {
	found := regexp.MustCompile(`[ ,]` + name + `="([!#-~]*)"`).FindStringSubmatch(challenge)
	if found == nil {
		return ""
	}
	return found[1]
}

// Permissions asks as clients do for an access token to a repository, which need
// not exist, at the cost of one request, and says what the token permits there. No
// user and no password asks as anybody.
func (c Client) Permissions(ctx context.Context, host registry.Host, user string, password secret.String, repository string, actions ...string) ([]string, error) {
	form := url.Values{
		"grant_type": {"password"},
		"client_id":  {"docker-credential-acr"},
		"username":   {user},
		"password":   {password.Reveal()},
		"service":    {host.Global()},
		"scope":      {"repository:" + repository + ":" + strings.Join(actions, ",")},
	}
	endpoint := url.URL{Scheme: "https", Host: host.String(), Path: "/oauth2/token"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body, err := c.send(host, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, newError(resp, body)
	}
	return permitted(host, body, repository)
}

// permitted reads the claim access of the token in an answer (distribution
// specification, "Token Authentication Implementation").
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
		return nil, &guard.Error{Host: host.String(), Why: "answered without a readable access_token", Hint: guard.CodeNotJSON}
	}
	for _, a := range claims.Access {
		if a.Type == "repository" && a.Name == repository {
			actions = append(actions, a.Actions...)
		}
	}
	return actions, nil
}

// CheckPassword says whether a user of the registry's own (its admin user, or a
// repository-scoped token) can sign in, at the cost of one request: that of docker
// login. (Distribution, "Token Authentication Specification".)
func (c Client) CheckPassword(ctx context.Context, host registry.Host, user string, password secret.String) error {
	query := url.Values{"service": {host.String()}, "account": {user}, "client_id": {"docker-credential-acr"}}
	endpoint := url.URL{Scheme: "https", Host: host.String(), Path: "/oauth2/token", RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.String(), nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(user, password.Reveal())
	resp, body, err := c.send(host, req)
	if err != nil || resp.StatusCode == http.StatusOK {
		return err
	}
	refused := newError(resp, body)
	refused.Password = true
	return refused
}
