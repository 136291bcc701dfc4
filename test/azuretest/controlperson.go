package azuretest

import (
	"net/http"
	"slices"
	"strings"
)

// controlPeople adds what people and their directories do to Control.
func (c *Cloud) controlPeople(mux *http.ServeMux) {
	mux.HandleFunc("GET /device", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, c.DeviceCodes()) })
	mux.HandleFunc("POST /device", c.controlDevice)
	mux.HandleFunc("POST /person", c.controlPerson)
	mux.HandleFunc("POST /sessions", c.controlSessions)
	mux.HandleFunc("POST /policy", c.controlPolicy)
}

// userCalled finds a person by user principal name, at home in whichever tenant.
func (c *Cloud) userCalled(upn string) *User {
	for i := range authorities {
		for _, u := range c.residents(&authorities[i], nil) {
			if strings.EqualFold(u.upn, upn) {
				return u
			}
		}
	}
	return nil
}

// whoDoes reads user and does; a name that nobody has, or an unknown deed, would
// be a command that does nothing.
func (c *Cloud) whoDoes(w http.ResponseWriter, r *http.Request) (u *User, does Deed, ok bool) {
	does = Deed(r.URL.Query().Get("does"))
	if name := r.URL.Query().Get("user"); name != "" {
		if u = c.userCalled(name); u == nil {
			http.Error(w, "no such user", http.StatusNotFound)
			return nil, "", false
		}
	}
	if does == "" {
		does = SignsIn
	}
	if !slices.Contains([]Deed{SignsIn, Declines, Cancels}, does) {
		http.Error(w, "unknown deed", http.StatusBadRequest)
		return nil, "", false
	}
	return u, does, true
}

func (c *Cloud) controlDevice(w http.ResponseWriter, r *http.Request) {
	u, does, ok := c.whoDoes(w, r)
	if !ok {
		return
	}
	if err := c.EnterCode(r.URL.Query().Get("code"), u, does); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

func (c *Cloud) controlPerson(w http.ResponseWriter, r *http.Request) {
	if u, does, ok := c.whoDoes(w, r); ok {
		c.Person(u, does)
	}
}

func (c *Cloud) controlSessions(w http.ResponseWriter, r *http.Request) {
	u := c.userCalled(r.URL.Query().Get("user"))
	if u == nil {
		http.Error(w, "no such user", http.StatusNotFound)
		return
	}
	switch r.URL.Query().Get("do") {
	case "revoke":
		u.RevokeSessions()
	case "expire":
		u.ExpireSessions()
	case "password":
		u.ChangePassword()
	default:
		http.Error(w, "unknown deed", http.StatusBadRequest)
	}
}

func (c *Cloud) controlPolicy(w http.ResponseWriter, r *http.Request) {
	var t *Tenant
	for i := range authorities {
		if found, _ := c.tenant(&authorities[i], r.URL.Query().Get("tenant")); found != nil {
			t = found
		}
	}
	if t == nil {
		http.Error(w, "no such tenant", http.StatusNotFound)
		return
	}
	switch r.URL.Query().Get("do") {
	case "step-up":
		writeJSON(w, 200, map[string]string{"claims": t.StepUp()})
	case "block":
		t.Block(53003)
	case "allow":
		t.Block(0)
	default:
		http.Error(w, "unknown deed", http.StatusBadRequest)
	}
}
