package clientcredential

import (
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const gitHubHost, pipelinesHost = "run-actions-1-azure-eastus.actions.githubusercontent.com", "dev.azure.com"

// TestClient_ask has issuers that refuse or fail, and addresses that get no request
// token.
func TestClient_ask(t *testing.T) {
	type change = func(*fixture, *azuretest.Job, *identity.Federation)
	answer := func(fault azuretest.Fault) change {
		return func(f *fixture, _ *azuretest.Job, _ *identity.Federation) {
			f.Fault(gitHubHost, "*", fault)
			f.Fault(pipelinesHost, "*", fault)
		}
	}
	url := func(replace func(string) string) change {
		return func(_ *fixture, _ *azuretest.Job, fed *identity.Federation) { fed.RequestURL = replace(fed.RequestURL) }
	}
	inAMinute := http.Header{"Retry-After": {"60"}}
	json := func(body string) azuretest.Fault { return azuretest.Fault{Body: body, ContentType: "application/json"} }
	for _, row := range []struct {
		what string
		do   change
		code fault.Code
	}{
		{"success", func(*fixture, *azuretest.Job, *identity.Federation) {}, ""},
		{"the job has ended", func(_ *fixture, j *azuretest.Job, _ *identity.Federation) { j.End() }, fault.IssuerRefused},
		{"403", answer(azuretest.Fault{Status: 403, Body: "SECRET"}), fault.IssuerRefused},
		{"another status", answer(azuretest.Fault{Status: 418, Body: "SECRET"}), fault.IssuerRefused},
		{"a sign-in page", answer(azuretest.Fault{Status: 203, Body: "<html>SECRET"}), fault.IssuerRefused},
		{"500", answer(azuretest.Fault{Status: 500, Body: "SECRET"}), fault.IssuerUnavailable},
		{"throttling", answer(azuretest.Fault{Status: 429, Header: inAMinute}), fault.IssuerUnavailable},
		{"a redirect", answer(azuretest.Fault{Redirect: "https://evil.example/"}), fault.Redirect},
		{"a page", answer(azuretest.Fault{Body: "<html>SECRET", ContentType: "text/html"}), fault.NotJSON},
		{"broken JSON", answer(json(`{"value": SECRET`)), fault.FederatedTokenMalformed},
		{"no token", answer(json(`{"message":"SECRET"}`)), fault.FederatedTokenMalformed},
		{"a value that is not a token", answer(json(`{"value":"SECRET"}`)), fault.FederatedTokenMalformed},
		{"too much", answer(azuretest.Fault{Oversize: maxAnswer + 1}), fault.TooLong},
		{"plain HTTP", url(func(u string) string { return strings.Replace(u, "https:", "http:", 1) }), fault.IssuerURL},
		{"user-info", url(func(u string) string { return strings.Replace(u, "https://", "https://x@", 1) }), fault.IssuerURL},
		{"a fragment", url(func(u string) string { return u + "#x" }), fault.IssuerURL},
		{"no host", url(func(string) string { return "https:///x" }), fault.IssuerURL},
		{"not a URL", url(func(string) string { return "https://SECRET%zz" }), fault.IssuerURL},
		{"no request token", func(_ *fixture, _ *azuretest.Job, fed *identity.Federation) {
			fed.RequestToken = secret.String{}
		}, fault.FederatedTokenMissing},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t, contoso)
			job, federation := f.gitHubJob("")
			row.do(f, job, &federation)
			f.expect(f.federated(identity.GitHubActions, federation), row.code)
			f.ClearFaults()
			job, federation = f.pipelinesJob()
			row.do(f, job, &federation)
			err := f.expect(f.federated(identity.AzurePipelines, federation), row.code)
			if row.what == "throttling" && fault.RetryAfter(err) != time.Minute {
				t.Errorf("wait %v", fault.RetryAfter(err))
			}
			if row.code != "" && f.Seen(azuretest.KindEntraToken) > 0 {
				t.Error("the token endpoint was asked")
			}
		})
	}
}

func TestClient_assertion_of_Azure_Pipelines_needs_a_connection(t *testing.T) {
	f := newFixture(t, contoso)
	_, federation := f.pipelinesJob()
	federation.Connection = ""
	f.expect(f.federated(identity.AzurePipelines, federation), fault.FederatedTokenMissing)
	federation.Connection = "9b0a1b1c-0000-4000-8000-000000000000"
	f.expect(f.federated(identity.FederatedToken, federation), fault.IssuerConnection)
}

// a transport that is a function
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestClient_assertion_keeps_code_of_failed_requests runs with a clock that moves on while all wait.
func TestClient_assertion_keeps_code_of_failed_requests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		client := Client{Log: slog.New(slog.DiscardHandler), Transport: transport(
			func(*http.Request) (*http.Response, error) { requests++; return nil, io.ErrUnexpectedEOF })}
		federation := &identity.Federation{RequestURL: "https://" + gitHubHost + "/x", RequestToken: secret.New("s3cret")}
		id := identity.Identity{Kind: identity.GitHubActions, Federation: federation}
		_, err := client.assertion(t.Context(), id, azuretest.TokenExchange)
		if fault.CodeOf(err) != fault.Broken || requests != 3 ||
			!strings.HasPrefix(err.Error(), "the token issuer of GitHub Actions") {
			t.Errorf("%v, after %d requests", err, requests)
		}
	})
}

// TestClient_assertion_checks_expiry has tokens in files and variables: some are refused before Entra is asked, others
// by Entra.
func TestClient_assertion_checks_expiry(t *testing.T) {
	f := newFixture(t, contoso)
	f.app.AddFederatedCredential(f.cluster.URL(), subject, "")
	token := func(subject, audience string) func() string {
		return func() string { return f.cluster.Token(subject, audience, time.Hour) }
	}
	text := func(s string) func() string { return func() string { return s } }
	good := token(subject, azuretest.TokenExchange)
	for _, row := range []struct {
		what  string
		token func() string
		age   time.Duration
		code  fault.Code
		asked int // requests to the token endpoint
	}{
		{"good", good, 0, "", 1},
		{"white space around it", func() string { return "\n " + good() + "\r\n" }, 0, "", 1},
		{"a clock that is a little fast", good, 64 * time.Minute, "", 1},
		{"expired", good, 66 * time.Minute, fault.FederatedTokenExpired, 0},
		{"not a token", text("SECRET"), 0, fault.FederatedTokenMalformed, 0},
		{"parts of a token", text("SECRET.SECRET.SECRET"), 0, fault.FederatedTokenMalformed, 0},
		{"another audience", token(subject, azuretest.TokenExchangeChina), 0, "AADSTS700212", 1},
		{"another subject", token("SECRET", azuretest.TokenExchange), 0, "AADSTS700213", 1},
	} {
		t.Run(row.what, func(t *testing.T) {
			f.t = t
			f.SetClock(nil)
			token := row.token()
			f.AdvanceClock(row.age)
			file := f.file(token)
			for _, federation := range []identity.Federation{{File: file}, {Token: secret.New(token)}} {
				f.Reset()
				err := f.expect(f.federated(identity.WorkloadIdentity, federation), row.code)
				if n := f.Seen(azuretest.KindEntraToken); n != row.asked {
					t.Errorf("the token endpoint was asked %d times", n)
				}
				if row.code == fault.FederatedTokenExpired && federation.File != "" &&
					!strings.HasPrefix(err.Error(), "the token in "+file+" expired at ") {
					t.Error(err)
				}
			}
		})
	}
}

func TestClient_assertion_refuses_unreadable_files(t *testing.T) {
	f := newFixture(t, contoso)
	for path, reason := range map[string]string{
		filepath.Join(t.TempDir(), "none"):             "does not exist",
		f.file(" \n"):                                  "is empty",
		f.file(strings.Repeat("SECRET", maxToken/6+1)): "is too long",
		t.TempDir():                                    "is not a regular file",
	} {
		err := f.expect(f.federated(identity.WorkloadIdentity, identity.Federation{File: path}), fault.FederatedTokenMissing)
		if err == nil || err.Error() != path+" "+reason {
			t.Errorf("%v, want %s", err, reason)
		}
	}
}
