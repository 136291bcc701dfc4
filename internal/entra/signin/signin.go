// Package signin signs a person in to Microsoft Entra: once in a browser or by a
// device code, from then on silently by what is remembered of that. One sign-in
// is one person; nothing here touches a disk or a terminal.
package signin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// Organizations is the tenant of whoever signs in: Entra finds it by the account.
const Organizations = "organizations"

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Now is the clock that dates tokens.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
	// Sleep waits between polls for a device code, or until the context ends; nil
	// waits real time.
	Sleep func(context.Context, time.Duration) error
}

// A Request is what a person is asked to sign in to.
type Request struct {
	// ClientID is the application, a public client.
	ClientID string
	// Tenant is a GUID or a domain; "" is Organizations. A guest names the tenant
	// that invited them.
	Tenant string
	// Cloud decides which authority is asked.
	Cloud registry.Cloud
	// Audience is the resource that the token is meant for.
	Audience string
	// LoginHint is the account to offer; "" lets the person choose.
	LoginHint string
	// Claims is the challenge of the last refusal, as Claims returns it; "" for none.
	Claims string
	// Show is told the address to open, for people whose browser doesn't; nil
	// shows nothing. Of Browser only.
	Show func(url string)
	// Open opens a browser; nil leaves that to the person. Of Browser only.
	Open func(url string) error
}

// A Result is a person who has signed in.
type Result struct {
	Access secret.Token
	// Memory is what Silent renews from.
	Memory secret.String
	// User is the name they sign in with.
	User string
	// Tenant is the id of the tenant that the token is for, which a guest isn't at
	// home in.
	Tenant string
	// HomeAccountID tells accounts apart for good.
	HomeAccountID string
}

// Silent gets a new token for somebody who signed in before, at the cost of two
// requests to the cloud's authority. It never waits for anybody. changed is the memory to keep from now
// on, when there is an error too; it equals memory when nothing is new.
func (c Client) Silent(ctx context.Context, id identity.Identity, cloud registry.Cloud, memory secret.String) (access secret.Token, changed secret.String, err error) {
	kept, err := decode(memory)
	if err != nil {
		return secret.Token{}, memory, err
	}
	online := &sender{Client: authority.NewClient(c.Transport, cloud.Authority, c.Log)}
	app, err := application(id.ClientID, id.Tenant, cloud, online, kept)
	if err != nil {
		return secret.Token{}, memory, err
	}
	account, err := theAccount(ctx, app)
	if err != nil {
		return secret.Token{}, memory, err
	}
	result, err := app.AcquireTokenSilent(ctx, []string{scope(id.Audience)}, public.WithSilentAccount(account))
	switch {
	case err == nil:
	case !online.used.Load():
		// MSAL looked into the memory and found nothing to send.
		return secret.Token{}, memory, &Error{Hint: CodeAgain}
	default:
		err = authority.Translate(ctx, cloud.Authority, err)
		kept.refused(err)
		return secret.Token{}, kept.encode(memory), err
	}
	kept.Claims = "" // met, or no longer asked for
	return c.token(result), kept.encode(memory), nil
}

// theAccount is the one that the memory holds, under one or several tenants.
func theAccount(ctx context.Context, app public.Client) (public.Account, error) {
	accounts, err := app.Accounts(ctx)
	if err != nil || len(accounts) == 0 {
		return public.Account{}, &Error{Hint: CodeAgain}
	}
	for _, other := range accounts[1:] {
		if other.HomeAccountID != accounts[0].HomeAccountID {
			return public.Account{}, &Error{Hint: CodeAgain, Why: "more than one account is remembered"}
		}
	}
	return accounts[0], nil
}

// application prepares MSAL. The tenant is part of the authority, so no call
// needs to repeat it. Instance discovery is off, because it would ask
// login.microsoftonline.com about every other cloud's authority; the client holds
// MSAL to the one host instead.
func application(clientID, tenant string, cloud registry.Cloud, client httpClient, kept *memory) (public.Client, error) {
	if tenant == "" {
		tenant = Organizations
	}
	app, err := public.New(clientID,
		public.WithAuthority("https://"+cloud.Authority+"/"+url.PathEscape(tenant)),
		public.WithHTTPClient(client),
		public.WithInstanceDiscovery(false),
		public.WithCache(kept))
	if err != nil {
		return public.Client{}, fmt.Errorf("tenant %q is not usable in the %s cloud", tenant, cloud.Name)
	}
	return app, nil
}

// httpClient is what MSAL sends its requests by.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
	CloseIdleConnections()
}

func scope(audience string) string { return audience + "/.default" }

func (c Client) token(result public.AuthResult) secret.Token {
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}
}

// finish makes a Result of what MSAL got. Names come from Entra, and go into
// messages and files: what doesn't look like one is refused.
func (c Client) finish(ctx context.Context, cloud registry.Cloud, kept *memory, result public.AuthResult, err error) (Result, error) {
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return Result{}, gaveUp(ctx)
	default:
		return Result{}, authority.Translate(ctx, cloud.Authority, err)
	}
	account := result.Account
	name := regexp.MustCompile(`^[\p{L}\p{N}\p{M}\p{P}\p{S} ]{1,200}$`)
	tenant := regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	if !name.MatchString(account.PreferredUsername) || !name.MatchString(account.HomeAccountID) || !tenant.MatchString(result.IDToken.TenantID) {
		return Result{}, &guard.Error{Host: cloud.Authority, Why: "did not say who has signed in", Hint: guard.CodeNotJSON}
	}
	return Result{
		Access: c.token(result), Memory: kept.encode(secret.String{}),
		User: account.PreferredUsername, Tenant: result.IDToken.TenantID, HomeAccountID: account.HomeAccountID,
	}, nil
}
