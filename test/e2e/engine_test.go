package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// engine stands in for Docker's engine where docker login can't do without:
// without a user it asks nobody else whether a credential is good. It answers
// as dockerd does, with an identity token where the registry hands one out,
// unless plain is set.
type engine struct {
	registries http.RoundTripper
	plain      bool
}

// startEngine makes docker find an engine.
func (s *stage) startEngine(plain bool) {
	s.t.Helper()
	socket := filepath.Join(s.work, "engine")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: engine{s.cloud.Transport(), plain}}
	go server.Serve(listener)
	s.t.Cleanup(func() { server.Close() })
	s.env["DOCKER_HOST"] = "unix://" + socket
}

func (e engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/_ping":
	case strings.HasSuffix(r.URL.Path, "/auth"):
		e.auth(w, r)
	default:
		http.Error(w, `{"message":"this engine only logs in"}`, http.StatusNotFound)
	}
}

// auth tries a credential as moby's registry client does: GET with Basic, or
// POST where it is an identity token.
func (e engine) auth(w http.ResponseWriter, r *http.Request) {
	var c struct{ Username, Password, ServerAddress, IdentityToken string }
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, `{"message":"not JSON"}`, http.StatusBadRequest)
		return
	}
	address := "https://" + c.ServerAddress + "/oauth2/token"
	form := url.Values{"service": {c.ServerAddress}, "client_id": {"docker"}, "offline_token": {"true"}}
	ask, err := http.NewRequest(http.MethodGet, address+"?"+form.Encode(), nil)
	if err == nil && c.IdentityToken != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.IdentityToken)
		ask, err = http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	}
	if err != nil {
		http.Error(w, `{"message":"no server"}`, http.StatusBadRequest)
		return
	}
	if c.IdentityToken == "" {
		ask.SetBasicAuth(c.Username, c.Password)
	} else {
		ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := e.registries.RoundTrip(ask)
	if err != nil || answer.StatusCode != http.StatusOK {
		http.Error(w, `{"message":"unauthorized"}`, http.StatusUnauthorized)
		return
	}
	defer answer.Body.Close()
	var token struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil || e.plain {
		token.Refresh = ""
	}
	json.NewEncoder(w).Encode(map[string]string{"Status": "Login Succeeded", "IdentityToken": token.Refresh})
}
