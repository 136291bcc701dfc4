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
	githubLife    = 5 * time.Minute
	pipelinesLife = 10 * time.Minute
)

// GitHubActions is GitHub's token issuer, as jobs with the permission
// "id-token: write" see it (GitHub Docs, "OpenID Connect reference").
type GitHubActions struct {
	issuer *Issuer
	host   string
}

// GitHubIssuer is the issuer of the tokens of GitHub Actions.
const GitHubIssuer = "https://token.actions.githubusercontent.com"

// AddGitHubActions adds GitHub's issuer, with the host that jobs ask.
func (c *Cloud) AddGitHubActions() *GitHubActions {
	return &GitHubActions{issuer: c.AddIssuer(GitHubIssuer), host: "run-actions-1-azure-eastus.actions.githubusercontent.com"}
}

// A Job is one run of a CI system, which asks for tokens about itself.
type Job struct {
	cloud   *Cloud
	url     string
	bearer  string
	subject string // of GitHub's tokens

	// guarded by Cloud.mu
	connections map[string]string // service connections of Azure Pipelines: id to subject
	ended       bool
}

// RequestURL is where the job gets its tokens: ACTIONS_ID_TOKEN_REQUEST_URL or
// SYSTEM_OIDCREQUESTURI.
func (j *Job) RequestURL() string { return j.url }

// RequestToken is what the job shows there: ACTIONS_ID_TOKEN_REQUEST_TOKEN or
// SYSTEM_ACCESSTOKEN.
func (j *Job) RequestToken() string { return j.bearer }

// End makes the request token worthless.
func (j *Job) End() {
	j.cloud.mu.Lock()
	defer j.cloud.mu.Unlock()
	j.ended = true
}

// admits checks the bearer token of a request.
func (j *Job) admits(r *http.Request) bool {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	j.cloud.mu.Lock()
	defer j.cloud.mu.Unlock()
	return ok && !j.ended && subtle.ConstantTimeCompare([]byte(bearer), []byte(j.bearer)) == 1
}

func (c *Cloud) newJob(url, subject string) *Job {
	j := &Job{cloud: c, url: url, subject: subject, bearer: "ey" + randomText(40), connections: map[string]string{}}
	c.canaries.add(j.bearer)
	return j
}

// Job starts a run with a subject such as repo:contoso/app:ref:refs/heads/main.
func (g *GitHubActions) Job(subject string) *Job {
	c := g.issuer.cloud
	path := "/" + randomText(12) + "//idtoken/" + newGUID() + "/" + newGUID()
	j := c.newJob("https://"+g.host+path+"?api-version=2.0", subject)
	c.addFront(g.host, &front{kind: KindGitHubToken, serve: func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, j, path) }})
	return j
}

// serve answers the last job: one host, one job.
func (g *GitHubActions) serve(w http.ResponseWriter, r *http.Request, j *Job, path string) {
	query := r.URL.Query()
	audience := query.Get("audience")
	switch {
	case r.URL.Path != path:
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case !j.admits(r):
		note(r, "a wrong request token")
		writeJSON(w, http.StatusUnauthorized, map[string]string{"message": "Unauthorized"})
	case query.Get("api-version") != "2.0" || !only(query, "api-version", "audience"):
		note(r, "other parameters than api-version and audience")
		writeJSON(w, http.StatusBadRequest, map[string]string{"message": "Bad Request"})
	default:
		if audience == "" {
			audience = "https://github.com/" + strings.SplitN(strings.TrimPrefix(j.subject, "repo:"), "/", 2)[0]
		}
		writeJSON(w, http.StatusOK, map[string]any{"count": 1, "value": g.issuer.sign(j.subject, audience, githubLife)})
	}
}

// only tells whether a query has no other names than these, each once at most.
func only(query url.Values, names ...string) bool {
	for _, name := range names {
		if len(query[name]) > 1 {
			return false
		}
		query.Del(name)
	}
	return len(query) == 0
}

// AzurePipelines is the token issuer of an Azure DevOps organization (Microsoft
// Learn, "Oidctoken - Create").
type AzurePipelines struct {
	issuer       *Issuer
	organization string
}

// AddAzurePipelines adds an organization.
func (c *Cloud) AddAzurePipelines(organization string) *AzurePipelines {
	return &AzurePipelines{issuer: c.AddIssuer("https://vstoken.dev.azure.com/" + newGUID()), organization: organization}
}

// Issuer is the issuer that a federated credential has to trust.
func (a *AzurePipelines) Issuer() string { return a.issuer.url }

// Job starts a run of a pipeline.
func (a *AzurePipelines) Job() *Job {
	const host = "dev.azure.com"
	c := a.issuer.cloud
	path := "/" + a.organization + "/" + newGUID() + "/_apis/distributedtask/hubs/build/plans/" + newGUID() + "/jobs/" + newGUID() + "/oidctoken"
	j := c.newJob("https://"+host+path, "")
	c.addFront(host, &front{kind: KindPipelinesToken, serve: func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, j, path) }})
	return j
}

// AddServiceConnection lets the job use a service connection, and returns the
// connection's id and the subject of its tokens.
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
	case !j.admits(r) && r.Header.Get("X-TFS-FedAuthRedirect") != "Suppress":
		note(r, "a wrong access token, and no X-TFS-FedAuthRedirect")
		http.Redirect(w, r, "https://spsprodweu1.vssps.visualstudio.com/_signin", http.StatusFound)
	case !j.admits(r):
		note(r, "a wrong access token")
		w.WriteHeader(http.StatusUnauthorized)
	case r.Header.Get("X-TFS-FedAuthRedirect") != "Suppress" || !jsonOrNothing(r):
		note(r, "no X-TFS-FedAuthRedirect, or another content than JSON")
		w.WriteHeader(http.StatusBadRequest)
	case query.Get("api-version") != "7.1" || !only(query, "api-version", "serviceConnectionId"):
		note(r, "other parameters than api-version and serviceConnectionId")
		w.WriteHeader(http.StatusBadRequest)
	case subject == "":
		note(r, "no such service connection")
		writeJSON(w, http.StatusNotFound, map[string]string{"message": "No service connection found with identifier " + connection})
	default:
		writeJSON(w, http.StatusOK, map[string]string{"oidcToken": a.issuer.sign(subject, TokenExchange, pipelinesLife)})
	}
}

// jsonOrNothing tells whether a request's body is JSON. One without a body needs
// no type: azidentity for Go names none, where other SDKs do.
func jsonOrNothing(r *http.Request) bool {
	kind := r.Header.Values("Content-Type")
	return r.ContentLength == 0 && len(kind) == 0 || slices.Equal(kind, []string{"application/json"})
}
