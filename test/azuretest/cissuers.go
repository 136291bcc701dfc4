package azuretest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	githubTokenLifetime    = 5 * time.Minute
	pipelinesTokenLifetime = 10 * time.Minute
)

// GitHubActions is GitHub's token issuer for jobs with the permission "id-token: write" (GitHub Docs, "OpenID Connect
// reference").
type GitHubActions struct {
	issuer *Issuer
	host   string
}

// GitHubIssuer is the issuer of GitHub Actions tokens.
const GitHubIssuer = "https://token.actions.githubusercontent.com"

// AddGitHubActions adds GitHub's issuer, and the host where jobs request tokens.
func (c *Cloud) AddGitHubActions() *GitHubActions {
	return &GitHubActions{
		issuer: c.AddIssuer(GitHubIssuer),
		host:   "run-actions-1-azure-eastus.actions.githubusercontent.com",
	}
}

// A Job is a job of a CI system, which requests tokens about itself.
type Job struct {
	cloud   *Cloud
	url     string
	bearer  string
	subject string // of GitHub's tokens

	// guarded by Cloud.mu
	connections map[string]string // service connections of Azure Pipelines: ID to subject
	ended       bool
}

// RequestURL returns ACTIONS_ID_TOKEN_REQUEST_URL or SYSTEM_OIDCREQUESTURI.
func (j *Job) RequestURL() string { return j.url }

// RequestToken returns ACTIONS_ID_TOKEN_REQUEST_TOKEN or SYSTEM_ACCESSTOKEN.
func (j *Job) RequestToken() string { return j.bearer }

// End invalidates the request token.
func (j *Job) End() { j.cloud.locked(func() { j.ended = true }) }

// isAuthorized reports whether a request has the job's bearer token.
func (j *Job) isAuthorized(r *http.Request) bool {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	j.cloud.mu.Lock()
	defer j.cloud.mu.Unlock()
	return ok && !j.ended && subtle.ConstantTimeCompare([]byte(bearer), []byte(j.bearer)) == 1
}

func (c *Cloud) newJob(url, subject string) *Job {
	j := &Job{
		cloud: c, url: url, subject: subject, bearer: "ey" + randomText(40), connections: map[string]string{},
	}
	c.canaries.add(j.bearer)
	return j
}

// Job starts a job with a subject such as repo:contoso/app:ref:refs/heads/main. Only the last job gets tokens.
func (g *GitHubActions) Job(subject string) *Job {
	c := g.issuer.cloud
	path := "/" + randomText(12) + "//idtoken/" + newGUID() + "/" + newGUID()
	j := c.newJob("https://"+g.host+path+"?api-version=2.0", subject)
	serve := func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, j, path) }
	c.addHost(g.host, &extraHost{kind: KindGitHubToken, serve: serve})
	return j
}

func (g *GitHubActions) serve(w http.ResponseWriter, r *http.Request, j *Job, path string) {
	query := r.URL.Query()
	audience := query.Get("audience")
	switch {
	case r.URL.Path != path:
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case !j.isAuthorized(r):
		note(r, "wrong request token")
		writeJSON(w, http.StatusUnauthorized, map[string]string{"message": "Unauthorized"})
	case query.Get("api-version") != "2.0" || !hasOnly(query, "api-version", "audience"):
		note(r, "other parameters than api-version and audience")
		writeJSON(w, http.StatusBadRequest, map[string]string{"message": "Bad Request"})
	default:
		if audience == "" {
			owner, _, _ := strings.Cut(strings.TrimPrefix(j.subject, "repo:"), "/")
			audience = "https://github.com/" + owner
		}
		token := g.issuer.sign(j.subject, audience, githubTokenLifetime)
		writeJSON(w, http.StatusOK, map[string]any{"count": 1, "value": token})
	}
}

// hasOnly reports whether a query has no other names than these, each at most once.
func hasOnly(query url.Values, names ...string) bool {
	for _, name := range names {
		if len(query[name]) > 1 {
			return false
		}
		query.Del(name)
	}
	return len(query) == 0
}

// AzurePipelines is the token issuer of an Azure DevOps organization (Microsoft Learn, "Oidctoken - Create").
type AzurePipelines struct {
	issuer       *Issuer
	organization string
}

// AddAzurePipelines adds an organization.
func (c *Cloud) AddAzurePipelines(organization string) *AzurePipelines {
	issuer := c.AddIssuer("https://vstoken.dev.azure.com/" + newGUID())
	return &AzurePipelines{issuer: issuer, organization: organization}
}

// Issuer returns the issuer for federated credentials.
func (a *AzurePipelines) Issuer() string { return a.issuer.url }

// Job starts a job of a pipeline. Only the last job gets tokens.
func (a *AzurePipelines) Job() *Job {
	const host = "dev.azure.com"
	c := a.issuer.cloud
	path := "/" + a.organization + "/" + newGUID() + "/_apis/distributedtask/hubs/build/plans/" + newGUID() +
		"/jobs/" + newGUID() + "/oidctoken"
	j := c.newJob("https://"+host+path, "")
	serve := func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, j, path) }
	c.addHost(host, &extraHost{kind: KindPipelinesToken, serve: serve})
	return j
}

// AddServiceConnection authorizes the job to use a service connection. It returns the connection's ID and the subject
// of its tokens.
func (j *Job) AddServiceConnection(name string) (id, subject string) {
	organization := strings.Split(j.url, "/")[3]
	id, subject = newGUID(), "sc://"+organization+"/project/"+name
	j.cloud.mu.Lock()
	defer j.cloud.mu.Unlock()
	j.connections[id] = subject
	return id, subject
}

func (a *AzurePipelines) serve(w http.ResponseWriter, r *http.Request, j *Job, path string) {
	query := r.URL.Query()
	connection := query.Get("serviceConnectionId")
	j.cloud.mu.Lock()
	subject := j.connections[connection]
	j.cloud.mu.Unlock()
	switch {
	case r.URL.Path != path:
		http.NotFound(w, r)
	case r.Method != http.MethodPost:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case !j.isAuthorized(r) && r.Header.Get("X-TFS-FedAuthRedirect") != "Suppress":
		note(r, "wrong access token, and no X-TFS-FedAuthRedirect")
		http.Redirect(w, r, "https://spsprodweu1.vssps.visualstudio.com/_signin", http.StatusFound)
	case !j.isAuthorized(r):
		note(r, "wrong access token")
		w.WriteHeader(http.StatusUnauthorized)
	case r.Header.Get("X-TFS-FedAuthRedirect") != "Suppress" || !isJSONOrEmpty(r):
		note(r, "no X-TFS-FedAuthRedirect, or content that isn't JSON")
		w.WriteHeader(http.StatusBadRequest)
	case query.Get("api-version") != "7.1" || !hasOnly(query, "api-version", "serviceConnectionId"):
		note(r, "other parameters than api-version and serviceConnectionId")
		w.WriteHeader(http.StatusBadRequest)
	case subject == "":
		note(r, "no such service connection")
		message := "No service connection found with identifier " + connection
		writeJSON(w, http.StatusNotFound, map[string]string{"message": message})
	default:
		token := a.issuer.sign(subject, TokenExchange, pipelinesTokenLifetime)
		writeJSON(w, http.StatusOK, map[string]string{"oidcToken": token})
	}
}

// isJSONOrEmpty reports whether a request's body is JSON. An empty one needs no type: azidentity for Go sends none,
// other SDKs do.
func isJSONOrEmpty(r *http.Request) bool {
	kind := r.Header.Values("Content-Type")
	return r.ContentLength == 0 && len(kind) == 0 || slices.Equal(kind, []string{"application/json"})
}
