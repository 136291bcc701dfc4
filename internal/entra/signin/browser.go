package signin

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
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/signin/door"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

// browserLimit is how long a person may take, second factor included.
const browserLimit = 5 * time.Minute

// Browser signs a person in by their browser: the authorization code flow with
// PKCE (RFC 6749 §4.1, RFC 7636), coming back to a port of this machine (RFC 8252
// §7.3). It waits until they are done, ctx ends or five minutes are over.
func (c Client) Browser(ctx context.Context, r Request) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, browserLimit)
	defer cancel()
	kept := &memory{}
	app, err := application(r.ClientID, r.Tenant, r.Cloud, authority.NewClient(c.Transport, r.Cloud.Authority, c.Log), kept)
	if err != nil {
		return Result{}, err
	}
	back, err := door.Open(ctx)
	if err != nil {
		return Result{}, &Error{Hint: CodeListen}
	}
	verifier := rand.Text() + rand.Text() // 52 characters of at least 43, 260 random bits
	address, err := r.address(ctx, app, back, verifier)
	if err != nil {
		back.Close(err)
		return Result{}, err
	}
	r.invite(address)
	result, err := c.redeem(ctx, r, app, back, verifier, kept)
	back.Close(err)
	return result, err
}

// invite shows the page to the person. A browser that can't be opened isn't the
// end: the address has been shown.
func (r Request) invite(address string) {
	if r.Show != nil {
		r.Show(address)
	}
	if r.Open != nil {
		_ = r.Open(address)
	}
}

// redeem waits for the browser to come back and swaps the code for tokens.
func (c Client) redeem(ctx context.Context, r Request, app public.Client, back *door.Door, verifier string, kept *memory) (Result, error) {
	var arrived door.Arrival
	select {
	case arrived = <-back.Arrived:
	case <-ctx.Done():
		return Result{}, gaveUp(ctx)
	}
	if arrived.Code == "" {
		return Result{}, refusal(arrived.Err, arrived.Description)
	}
	options := []public.AcquireByAuthCodeOption{public.WithChallenge(verifier)}
	if r.Claims != "" {
		options = append(options, public.WithClaims(r.Claims))
	}
	result, err := app.AcquireTokenByAuthCode(ctx, arrived.Code, back.Address, []string{scope(r.Audience)}, options...)
	return c.finish(ctx, r.Cloud, kept, result, err)
}

// address is the page to open. MSAL knows the endpoint and the basic parameters;
// the rest is ours to add.
func (r Request) address(ctx context.Context, app public.Client, back *door.Door, verifier string) (string, error) {
	scopes := []string{scope(r.Audience), "openid", "profile", "offline_access"}
	var options []public.AuthCodeURLOption
	if r.Claims != "" {
		options = append(options, public.WithClaims(r.Claims))
	}
	page, err := app.AuthCodeURL(ctx, r.ClientID, back.Address, scopes, options...)
	if err != nil {
		return "", authority.Translate(ctx, r.Cloud.Authority, err)
	}
	parsed, err := url.Parse(page)
	if err != nil || parsed.Scheme != "https" || parsed.Host != r.Cloud.Authority || strings.ContainsAny(page, " \"'<>\\") {
		// A hostile OpenID document would have the person type a password there.
		return "", &guard.Error{Host: r.Cloud.Authority, Why: "named a sign-in page of another host, which is refused", Hint: guard.CodeStranger}
	}
	sum := sha256.Sum256([]byte(verifier))
	query := parsed.Query()
	query.Set("state", back.State)
	query.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	query.Set("code_challenge_method", "S256")
	// A form keeps the code out of the browser's history.
	query.Set("response_mode", "form_post")
	if r.LoginHint != "" {
		query.Set("login_hint", r.LoginHint)
	} else {
		query.Set("prompt", "select_account")
	}
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}
