package assertion

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func TestIssuersRefuse(t *testing.T) {
	const githubHost, pipelinesHost = "run-actions-1-azure-eastus.actions.githubusercontent.com", "dev.azure.com"
	fault := func(f azuretest.Fault) func(*stage, *azuretest.Job, *identity.Federation) {
		return func(s *stage, _ *azuretest.Job, _ *identity.Federation) {
			s.Fault(githubHost, "*", f)
			s.Fault(pipelinesHost, "*", f)
		}
	}
	url := func(change func(string) string) func(*stage, *azuretest.Job, *identity.Federation) {
		return func(_ *stage, _ *azuretest.Job, fed *identity.Federation) { fed.RequestURL = change(fed.RequestURL) }
	}
	for _, row := range []struct {
		what string
		do   func(*stage, *azuretest.Job, *identity.Federation)
		code string
	}{
		{"nothing", func(*stage, *azuretest.Job, *identity.Federation) {}, ""},
		{"the job has ended", func(_ *stage, j *azuretest.Job, _ *identity.Federation) { j.End() }, CodeRefused},
		{"403", fault(azuretest.Fault{Status: 403, Body: "SECRET"}), CodeRefused},
		{"another status", fault(azuretest.Fault{Status: 418, Body: "SECRET"}), CodeRefused},
		{"a sign-in page", fault(azuretest.Fault{Status: 203, Body: "<html>SECRET"}), CodeRefused},
		{"trouble", fault(azuretest.Fault{Status: 500, Body: "SECRET"}), CodeTrouble},
		{"throttling", fault(azuretest.Fault{Status: 429, Header: http.Header{"Retry-After": {"60"}}}), CodeTrouble},
		{"a redirect", fault(azuretest.Fault{Redirect: "https://evil.example/"}), guard.CodeRedirect},
		{"a page", fault(azuretest.Fault{Body: "<html>SECRET", ContentType: "text/html"}), guard.CodeNotJSON},
		{"broken JSON", fault(azuretest.Fault{Body: `{"value": SECRET`, ContentType: "application/json"}), CodeNotToken},
		{"no token", fault(azuretest.Fault{Body: `{"message":"SECRET"}`, ContentType: "application/json"}), CodeNotToken},
		{"something else than a token", fault(azuretest.Fault{Body: `{"value":"SECRET"}`, ContentType: "application/json"}), CodeNotToken},
		{"too much", fault(azuretest.Fault{Oversize: maxAnswer + 1}), guard.CodeTooLong},
		{"silence", fault(azuretest.Fault{CloseConn: true}), guard.CodeBroken},
		{"plain HTTP", url(func(u string) string { return strings.Replace(u, "https:", "http:", 1) }), CodeIssuerURL},
		{"user-info", url(func(u string) string { return strings.Replace(u, "https://", "https://x@", 1) }), CodeIssuerURL},
		{"a fragment", url(func(u string) string { return u + "#x" }), CodeIssuerURL},
		{"no host", url(func(string) string { return "https:///x" }), CodeIssuerURL},
		{"not a URL", url(func(string) string { return "https://SECRET%zz" }), CodeIssuerURL},
		{"no request token", func(_ *stage, _ *azuretest.Job, fed *identity.Federation) { fed.RequestToken = secret.String{} }, CodeMissing},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t, "contoso.azurecr.io")
			const subject = "repo:contoso/app:ref:refs/heads/main"
			job := s.AddGitHubActions().Job(subject)
			s.app.AddFederatedCredential(azuretest.GitHubIssuer, subject, "")
			fed := github(job)
			row.do(s, job, &fed)
			s.expect(s.signIn(s.identity(identity.GitHubActions, fed)), row.code)

			s.ClearFaults()
			organization := s.AddAzurePipelines("contoso")
			job = organization.Job()
			connection, subjectOfConnection := job.AddServiceConnection("registry")
			s.app.AddFederatedCredential(organization.Issuer(), subjectOfConnection, "")
			fed = github(job)
			fed.Connection = connection
			row.do(s, job, &fed)
			s.expect(s.signIn(s.identity(identity.AzurePipelines, fed)), row.code)
			if row.code != "" && s.Seen(azuretest.KindEntraToken) > 0 {
				t.Error("Entra was asked nonetheless")
			}
			if len(s.ForeignHosts()) > 0 {
				t.Errorf("foreign hosts: %v", s.ForeignHosts())
			}
		})
	}
}

func TestAzurePipelinesConnections(t *testing.T) {
	s := newStage(t, "contoso.azurecr.io")
	job := s.AddAzurePipelines("contoso").Job()
	fed := github(job)
	s.expect(s.signIn(s.identity(identity.AzurePipelines, fed)), CodeMissing)
	fed.Connection = "9b0a1b1c-0000-4000-8000-000000000000"
	s.expect(s.signIn(s.identity(identity.FederatedToken, fed)), CodeConnection)
}

func TestRetryAfterIsKnown(t *testing.T) {
	s := newStage(t, "contoso.azurecr.io")
	job := s.AddGitHubActions().Job("repo:contoso/app:ref:refs/heads/main")
	s.Fault("run-actions-1-azure-eastus.actions.githubusercontent.com", "*", azuretest.Fault{Status: 503, Header: http.Header{"Retry-After": {"60"}}})
	err := s.signIn(s.identity(identity.GitHubActions, github(job)))
	if failure.RetryAfter(err) != time.Minute {
		t.Errorf("%v", err)
	}
}
