package signin

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestStrays lets everything knock that does, before the person comes.
func TestStrays(t *testing.T) {
	s := newStage(t)
	r := s.request(s.ada)
	r.Open = func(address string) error {
		q := mustParse(t, address).Query()
		door, state := q.Get("redirect_uri"), q.Get("state")
		port := mustParse(t, door).Port()
		for _, row := range []struct {
			method, target, host, body string
			status                     int
		}{
			{"GET", "/favicon.ico", "", "", 404},
			{"GET", "/", "", "", 400},
			{"HEAD", "/?state=" + state, "", "", 405},
			{"OPTIONS", "/?state=" + state, "", "", 405},
			{"PUT", "/", "", "state=" + state, 405},
			{"GET", "/?code=x&state=wrong", "", "", 400},
			{"GET", "/?code=x&state=", "", "", 400},
			{"GET", "/?error=access_denied", "", "", 400},
			{"GET", "/?error=access_denied&state=" + strings.ToLower(state), "", "", 400},
			{"GET", "/callback?code=x&state=" + state, "", "", 404},
			{"GET", "/?code=x&code=y&state=" + state, "", "", 400},
			{"GET", "/?code=x&state=" + state, "evil.example:" + port, "", 421},
			{"GET", "/?code=x&state=" + state, "localhost", "", 421},
			{"POST", "/", "", "code=x&state=wrong", 400},
			{"POST", "/?code=x&state=" + state, "", "a=b", 400},
			{"POST", "/", "", "state=" + state + "&code=" + strings.Repeat("x", 70000), 400},
		} {
			req, _ := http.NewRequest(row.method, door+row.target, strings.NewReader(row.body))
			req.Host = row.host
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Errorf("%s %s: %v", row.method, row.target, err)
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != row.status || strings.Contains(string(body), state) {
				t.Errorf("%s %s: %s %s", row.method, row.target, resp.Status, body)
			}
			for _, h := range []string{"Content-Security-Policy", "Referrer-Policy", "Cache-Control"} {
				if resp.Header.Get(h) == "" {
					t.Errorf("%s %s: no %s", row.method, row.target, h)
				}
			}
		}
		s.knockRudely(port)
		go s.browse(address, s.ada)
		return nil
	}
	s.signIn(r)
}

// knockRudely is a scanner: what it says isn't HTTP, or never ends.
func (s *stage) knockRudely(port string) {
	for _, said := range []string{"\x16\x03\x01\x02\x00", "GET / HTTP/1.1\r\n", ""} {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			s.t.Error(err)
			return
		}
		s.t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, said)
	}
}

// TestQueryAndBothLoopbacks comes back by GET, under each name that the machine
// has, and a second time.
func TestQueryAndBothLoopbacks(t *testing.T) {
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
		t.Run(name, func(t *testing.T) {
			if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
				l.Close()
			} else if name == "[::1]" {
				t.Skip("no IPv6 here")
			}
			s := newStage(t)
			s.cloud.Person(s.ada, azuretest.SignsIn)
			r := s.request(s.ada)
			r.Open = func(address string) error {
				back := s.code(strings.ReplaceAll(address, "form_post", "query"))
				back = strings.Replace(back, "localhost", name, 1)
				go s.browse(back, nil)
				go s.browse(back, nil)
				return nil
			}
			if _, err := s.client.Browser(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if one, two := <-s.pages, <-s.pages; one != two && !strings.Contains(two+one, "connection refused") {
				t.Errorf("%s\n%s", one, two)
			}
			if n := s.cloud.Seen(azuretest.KindEntraToken); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
		})
	}
}

// code goes to Entra's page and returns where it sends the browser.
func (s *stage) code(address string) string {
	client := &http.Client{Transport: s.client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	resp.Body.Close()
	return resp.Header.Get("Location")
}
