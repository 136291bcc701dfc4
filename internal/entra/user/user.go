// Package user signs a user in to Microsoft Entra: once in a browser or with a device
// code, from then on silently from the state of that sign-in. Nothing here writes to a
// disk or a terminal.
package user

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Now is the clock that dates tokens.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
	// Sleep waits between polls for a device code, or returns the context's error when
	// that ends earlier.
	Sleep func(context.Context, time.Duration) error
}

// A Request says what a user signs in to.
type Request struct {
	// ClientID is the application, a public client.
	ClientID string
	// Tenant is a GUID or a domain; "" lets Entra find it by the account. A guest names
	// the tenant that invited them.
	Tenant string
	// Cloud decides which authority is asked.
	Cloud registry.Cloud
	// Audience is the resource that the token is for.
	Audience string
	// LoginHint is the account to offer; "" lets the user choose.
	LoginHint string
	// Claims is the claims challenge of the last refusal, from ClaimsChallenge or
	// StoredClaims; "" for none.
	Claims string
}

// A Result is a user who has signed in.
type Result struct {
	Access secret.Token
	// State is what Silent renews from.
	State secret.String
	// User is the name that the user signs in with.
	User string
	// Tenant is the id of the tenant that the token is for, which is not a guest's own.
	Tenant string
}

// Silent gets a new token from the state of an earlier sign-in, at the cost of two
// requests to the cloud's authority. It never waits for the user. changed is the state to
// store from now on, even with an error; it equals before if nothing is new.
func (c Client) Silent(
	ctx context.Context, id identity.Identity, cloud registry.Cloud, before secret.String,
) (access secret.Token, changed secret.String, err error) {
	s, err := parseState(before)
	if err != nil {
		return secret.Token{}, before, err
	}
	client := authority.NewClient(c.Transport, cloud, c.Log)
	app, err := application(id.ClientID, id.Tenant, cloud, public.WithHTTPClient(client), s)
	if err != nil {
		return secret.Token{}, before, err
	}
	account, err := onlyAccount(ctx, app)
	if err != nil {
		return secret.Token{}, before, err
	}
	result, err := app.AcquireTokenSilent(ctx, []string{scope(id.Audience)}, public.WithSilentAccount(account))
	switch {
	case err == nil:
		s.Claims = "" // satisfied, or no longer demanded
		return c.token(result), s.encode(), nil
	case !client.HasSent: // MSAL found nothing in the state to send
		return secret.Token{}, before, errSignInAgain
	}
	err = authority.Explain(ctx, cloud.Authority, err)
	s.Claims = cmp.Or(ClaimsChallenge(err), s.Claims) // without a new challenge the old one is still the last demand
	return secret.Token{}, s.encode(), err
}

var errSignInAgain = &fault.Error{Code: fault.SignInAgain}

// onlyAccount returns the one account of the state, which may be there for several
// tenants.
func onlyAccount(ctx context.Context, app public.Client) (public.Account, error) {
	accounts, err := app.Accounts(ctx)
	if err != nil || len(accounts) == 0 {
		return public.Account{}, errSignInAgain
	}
	for _, other := range accounts[1:] {
		if other.HomeAccountID != accounts[0].HomeAccountID {
			return public.Account{}, fault.New(fault.SignInAgain, "the stored sign-in has more than one account")
		}
	}
	return accounts[0], nil
}

// application prepares MSAL. The tenant is part of the authority, so no call needs to
// repeat it; organizations makes Entra find it by the account. Instance discovery is off,
// because it would ask login.microsoftonline.com about every other cloud's authority; the
// HTTP client keeps MSAL to the one host instead.
func application(clientID, tenant string, cloud registry.Cloud, client public.Option, s *state) (public.Client, error) {
	address := "https://" + cloud.Authority + "/" + url.PathEscape(cmp.Or(tenant, "organizations"))
	app, err := public.New(clientID, public.WithAuthority(address), client,
		public.WithInstanceDiscovery(false), public.WithCache(s))
	if err != nil {
		return public.Client{}, fmt.Errorf("tenant %q can't be used in the %s cloud", tenant, cloud.Name)
	}
	return app, nil
}

func scope(audience string) string { return audience + "/.default" }

func (c Client) token(result public.AuthResult) secret.Token {
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}
}

// finish returns the Result of MSAL's answer. Names come from Entra, and go into messages
// and files: what doesn't look like a name is refused.
func (c Client) finish(cloud registry.Cloud, s *state, result public.AuthResult) (Result, error) {
	user, tenant := result.Account.PreferredUsername, result.IDToken.TenantID
	name := regexp.MustCompile(`^[\p{L}\p{N}\p{M}\p{P}\p{S} ]{1,200}$`)
	if !name.MatchString(user) || !name.MatchString(result.Account.HomeAccountID) || !text.IsGUID(tenant) {
		const reason = "did not return the account that signed in"
		return Result{}, &fault.Error{Code: fault.NotJSON, Subject: cloud.Authority, Reason: reason}
	}
	return Result{Access: c.token(result), State: s.encode(), User: user, Tenant: tenant}, nil
}

// ended is the error for a wait that its context ended.
func ended(ctx context.Context) error {
	code := fault.SignInInterrupted
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = fault.SignInTimeout
	}
	return &fault.Error{Code: code, Cause: ctx.Err()}
}

// A state is what is stored of a user between sign-ins. It is a secret as a whole; its
// callers need not know what is in it.
type state struct {
	// Cache is MSAL's, in the format that all MSALs share.
	Cache json.RawMessage `json:"cache"`
	// Claims is the claims challenge that the next sign-in must satisfy.
	Claims string `json:"claims,omitempty"`
}

// ClaimsChallenge returns what a refusal demands of the next sign-in, for Request; "" for
// nothing.
func ClaimsChallenge(err error) string {
	refused, _ := errors.AsType[authority.Refusal](err)
	return refused.Claims
}

// StoredClaims returns what the last refusal demanded of the next sign-in, for Request;
// "" for nothing, or for a state that can't be read.
func StoredClaims(stored secret.String) string {
	s, err := parseState(stored)
	if err != nil {
		return ""
	}
	return s.Claims
}

func parseState(stored secret.String) (*state, error) {
	s := &state{}
	if json.Unmarshal([]byte(stored.Reveal()), s) != nil || len(s.Cache) == 0 {
		return nil, errSignInAgain
	}
	return s, nil
}

// encode can't fail: Cache is always JSON.
func (s *state) encode() secret.String {
	content, _ := json.Marshal(s)
	return secret.New(string(content))
}

// Replace gives MSAL its cache.
func (s *state) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	if len(s.Cache) == 0 {
		return nil
	}
	return into.Unmarshal(s.Cache)
}

// Export saves MSAL's cache without access tokens: the vault caches the one for ACR, with
// its own limits. It never returns an error, because MSAL would then discard the token that
// it has just acquired.
func (s *state) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	var sections map[string]json.RawMessage
	content, err := from.Marshal()
	if err == nil && json.Unmarshal(content, &sections) == nil {
		delete(sections, "AccessToken")
		s.Cache, _ = json.Marshal(sections)
	}
	return nil
}
