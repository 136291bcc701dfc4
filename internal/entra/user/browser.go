package user

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
)

// browserTimeout is how long a user may take, second factor included.
const browserTimeout = 5 * time.Minute

// declined is Entra's number for a user who declines.
const declined = 65004

// Browser signs a user in with their browser: the authorization code flow with PKCE (RFC
// 6749 §4.1, RFC 7636), which returns to a port on this computer (RFC 8252 §7.3). prompt
// gets the address to open, which it opens and shows: one on this computer, which leads
// to the sign-in page. Browser waits until the user has
// signed in, ctx ends or five minutes are over. (MSAL's AcquireTokenInteractive listens
// on one loopback address only, doesn't check the Host header, and gets the code in a URL
// instead of a form.)
func (c Client) Browser(ctx context.Context, r Request, prompt func(address string)) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, browserTimeout)
	defer cancel()
	server, err := listen(ctx)
	if err != nil {
		return Result{}, &fault.Error{Code: fault.SignInPort}
	}
	result, err := c.browse(ctx, r, prompt, server)
	server.close(err)
	return result, err
}

func (c Client) browse(ctx context.Context, r Request, prompt func(string), server *callback) (Result, error) {
	s := &state{}
	client := public.WithHTTPClient(authority.NewClient(c.Transport, r.Cloud, c.Log))
	app, err := application(r.ClientID, r.Tenant, r.Cloud, client, s)
	if err != nil {
		return Result{}, err
	}
	verifier := rand.Text() + rand.Text() // 52 characters of at least 43, 260 random bits
	page, err := r.signInPage(ctx, app, server, verifier)
	if err != nil {
		return Result{}, err
	}
	server.page.Store(&page)
	prompt(server.address + server.start)
	var returned result
	select {
	case returned = <-server.results:
	case <-ctx.Done():
		return Result{}, ended(ctx)
	}
	switch {
	case returned.err != nil:
		return Result{}, returned.err
	case returned.values.Get("code") == "":
		return Result{}, refusal(returned.values)
	}
	signedIn, err := app.AcquireTokenByAuthCode(ctx, returned.values.Get("code"), server.address,
		[]string{scope(r.Audience)},
		public.WithChallenge(verifier), public.WithClaims(r.Claims))
	switch {
	case err != nil && ctx.Err() != nil:
		return Result{}, ended(ctx)
	case err != nil:
		return Result{}, authority.Explain(ctx, r.Cloud.Authority, err)
	}
	return c.finish(r.Cloud, s, signedIn)
}

// refusal is the error for what the authorization endpoint returns instead of a code (RFC
// 6749 §4.1.2.1). Only its codes are used: the text went through the browser, where
// another page could have written it.
func refusal(returned url.Values) error {
	refused := authority.Refusal{
		OAuth: returned.Get("error"), AADSTS: authority.FindAADSTS(returned.Get("error_description")),
	}
	if refused.OAuth == "access_denied" && (refused.AADSTS == 0 || refused.AADSTS == declined) {
		return &fault.Error{Code: fault.SignInDeclined}
	}
	return refused.Fault()
}

// signInPage returns the address to open. MSAL knows the endpoint and the basic
// parameters; the rest is added here.
func (r Request) signInPage(
	ctx context.Context, app public.Client, server *callback, verifier string,
) (string, error) {
	scopes := []string{scope(r.Audience), "openid", "profile", "offline_access"}
	page, err := app.AuthCodeURL(ctx, r.ClientID, server.address, scopes,
		public.WithClaims(r.Claims), public.WithLoginHint(r.LoginHint))
	if err != nil {
		return "", authority.Explain(ctx, r.Cloud.Authority, err)
	}
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "https" || u.Host != r.Cloud.Authority || strings.ContainsAny(page, " \"'<>\\") {
		return "", httpguard.RefuseHost(r.Cloud.Authority) // a hostile OpenID document could ask for a password there
	}
	sum := sha256.Sum256([]byte(verifier))
	query := u.Query()
	query.Set("state", server.state)
	query.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	query.Set("code_challenge_method", "S256")
	query.Set("response_mode", "form_post") // which keeps the code out of the browser's history
	if r.LoginHint == "" {
		query.Set("prompt", "select_account")
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}
