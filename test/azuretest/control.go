package azuretest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// Control is an HTTP interface to the cloud, for scripts and for tests that are
// another process. Answers are JSON; changes are POST.
//
//	GET  /count?kind=exchange          {"count":1}; or method=, host= and path=
//	GET  /requests, /foreign, /canaries, /leaks
//	POST /reset
//	POST /fault?host=&path=            body: {"status":503,"times":1,"latency":"2s",...}
//	POST /faults/clear
//	POST /clock?advance=3h
//	POST /revoke?host=&subject=        subject: client id or user principal name
//	POST /firewall?host=&ip=
//	POST /secret?client=&expire=       expires that secret of an application
//	GET  /device                       the user codes that wait for somebody
//	POST /device?code=&user=&does=     answers one: sign-in, decline or cancel
//	POST /person?user=&does=           who answers Entra's pages by itself; no user: nobody
//	POST /sessions?user=&do=           revoke, expire or password: ends refresh tokens
//	POST /policy?tenant=&do=           step-up, block or allow: Conditional Access
//
// It hands out every secret of the cloud: serve it on loopback only.
func (c *Cloud) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /count", c.controlCount)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, c.Requests()) })
	mux.HandleFunc("GET /foreign", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, c.ForeignHosts()) })
	mux.HandleFunc("GET /canaries", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, c.Canaries()) })
	mux.HandleFunc("GET /leaks", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, c.Leaks()) })
	mux.HandleFunc("POST /reset", func(http.ResponseWriter, *http.Request) { c.Reset() })
	mux.HandleFunc("POST /fault", c.controlFault)
	mux.HandleFunc("POST /faults/clear", func(http.ResponseWriter, *http.Request) { c.ClearFaults() })
	mux.HandleFunc("POST /clock", c.controlClock)
	mux.HandleFunc("POST /revoke", c.controlRevoke)
	mux.HandleFunc("POST /firewall", c.controlFirewall)
	mux.HandleFunc("POST /secret", c.controlSecret)
	c.controlPeople(mux)
	return mux
}

// StartControl serves Control on a loopback port of its own until the cloud is
// closed, and returns its URL, without a slash at the end.
func (c *Cloud) StartControl() (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("starting the control listener: %w", err)
	}
	server := &http.Server{Handler: c.Control()}
	go server.Serve(listener)
	c.closeLater(server)
	return "http://" + listener.Addr().String(), nil
}

// controlCount answers an unknown kind with an error, for the reason that Seen
// panics.
func (c *Cloud) controlCount(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	kind := q.Get("kind")
	switch {
	case kind == "":
		writeJSON(w, 200, map[string]int{"count": c.Count(q.Get("method"), q.Get("host"), q.Get("path"))})
	case slices.Contains(kinds, kind):
		writeJSON(w, 200, map[string]int{"count": c.Seen(kind)})
	default:
		http.Error(w, "unknown kind "+kind, http.StatusBadRequest)
	}
}

// wireFault is a Fault in JSON: durations are text, and functions don't travel.
// AADSTS stands for the fault of that name and leaves room for Times and Latency.
type wireFault struct {
	Method, Latency, ContentType, Body, Redirect string
	Times, Status, AADSTS                        int
	Hang, CloseConn, Gzip, CutOff                bool
	Oversize                                     int64
	Header                                       http.Header
}

func (c *Cloud) controlFault(w http.ResponseWriter, r *http.Request) {
	var in wireFault
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields() // a misspelt field would be a fault that does nothing
	if err := decoder.Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f := Fault{
		Method: in.Method, Times: in.Times, Hang: in.Hang, CloseConn: in.CloseConn, Status: in.Status,
		Header: in.Header, ContentType: in.ContentType, Body: in.Body, Redirect: in.Redirect,
		Gzip: in.Gzip, Oversize: in.Oversize, CutOff: in.CutOff,
	}
	if in.AADSTS != 0 {
		if _, ok := aadstsRow(in.AADSTS); !ok {
			http.Error(w, "unknown AADSTS code", http.StatusBadRequest)
			return
		}
		f = c.AADSTS(in.AADSTS)
		f.Times = in.Times
	}
	if in.Latency != "" {
		var err error
		if f.Latency, err = time.ParseDuration(in.Latency); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	c.Fault(r.URL.Query().Get("host"), r.URL.Query().Get("path"), f)
}

func (c *Cloud) controlClock(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("advance"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.AdvanceClock(d)
}

// controlRevoke goes by subject, the name that a script knows somebody under.
func (c *Cloud) controlRevoke(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	reg := c.registry(q.Get("host"))
	if reg == nil {
		http.Error(w, "no such registry", http.StatusNotFound)
		return
	}
	reg.set(func() {
		reg.grants = slices.DeleteFunc(reg.grants, func(g grant) bool { return g.principal.subject() == q.Get("subject") })
	})
}

func (c *Cloud) controlFirewall(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	reg := c.registry(q.Get("host"))
	if reg == nil {
		http.Error(w, "no such registry", http.StatusNotFound)
		return
	}
	reg.Firewall(q.Get("ip"))
}

// controlSecret looks in every tenant: client ids are unique enough, and a script
// need not know whose application it is.
func (c *Cloud) controlSecret(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c.mu.Lock()
	tenants := slices.Clone(c.tenants)
	c.mu.Unlock()
	found := false
	for _, t := range tenants {
		if app := t.application(q.Get("client")); app != nil {
			app.ExpireSecret(q.Get("expire"))
			found = true
		}
	}
	if !found {
		http.Error(w, "no such application", http.StatusNotFound)
	}
}
