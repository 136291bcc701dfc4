package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// dockerd stands in for the Docker daemon in docker login, which without a user has the daemon check the credential. It
// returns the registry's identity token if returnsToken is set.
type dockerd struct {
	transport    http.RoundTripper
	returnsToken bool
}

// startDockerd starts a daemon for docker.
func (f *fixture) startDockerd(returnsToken bool) {
	f.t.Helper()
	socket := filepath.Join(f.work, "dockerd")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		f.t.Fatal(err)
	}
	server := &http.Server{Handler: dockerd{f.cloud.Transport(), returnsToken}}
	go server.Serve(listener)
	f.t.Cleanup(func() { server.Close() })
	f.env["DOCKER_HOST"] = "unix://" + socket
}

func (d dockerd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/_ping":
	case strings.HasSuffix(r.URL.Path, "/auth"):
		d.auth(w, r)
	default:
		http.Error(w, `{"message":"this daemon checks logins only"}`, http.StatusNotFound)
	}
}

// auth checks a credential as moby's registry client does: with GET and Basic, or with POST if it is an identity token.
func (d dockerd) auth(w http.ResponseWriter, r *http.Request) {
	var c struct{ Username, Password, ServerAddress, IdentityToken string }
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, `{"message":"not JSON"}`, http.StatusBadRequest)
		return
	}
	address := "https://" + c.ServerAddress + "/oauth2/token"
	form := url.Values{"service": {c.ServerAddress}, "client_id": {"docker"}, "offline_token": {"true"}}
	req, err := http.NewRequest(http.MethodGet, address+"?"+form.Encode(), nil)
	if err == nil && c.IdentityToken != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.IdentityToken)
		req, err = http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	}
	if err != nil {
		http.Error(w, `{"message":"not a server"}`, http.StatusBadRequest)
		return
	}
	if c.IdentityToken == "" {
		req.SetBasicAuth(c.Username, c.Password)
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := d.transport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		http.Error(w, `{"message":"unauthorized"}`, http.StatusUnauthorized)
		return
	}
	defer resp.Body.Close()
	var token struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || !d.returnsToken {
		token.Refresh = ""
	}
	json.NewEncoder(w).Encode(map[string]string{"Status": "Login Succeeded", "IdentityToken": token.Refresh})
}
