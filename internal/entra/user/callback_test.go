package user

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// serve lets s answer a request; host is "" for that of the address.
func serve(
	ctx context.Context, t *testing.T, s *callback, method, target, host, form string,
) (status int, page string) {
	t.Helper()
	r := httptest.NewRequestWithContext(ctx, method, s.address+target, strings.NewReader(form))
	w := httptest.NewRecorder()
	if host != "" {
		r.Host = host
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.ServeHTTP(w, r)
	for _, name := range []string{"Content-Security-Policy", "Referrer-Policy", "Cache-Control"} {
		if w.Header().Get(name) == "" {
			t.Errorf("%s %s: no %s", method, target, name)
		}
	}
	return w.Code, w.Body.String()
}

// A received page is what a browser gets.
type received struct {
	status int
	text   string
}

func read(resp *http.Response, err error) received {
	if err != nil {
		return received{0, err.Error()}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return received{resp.StatusCode, string(body)}
}

// accept returns to s as a browser does, and returns a channel of the page that it gets.
func accept(t *testing.T, s *callback, want url.Values) <-chan received {
	t.Helper()
	pages := make(chan received, 1)
	want.Set("state", s.state)
	go func() { pages <- read(http.PostForm(s.address, want)) }()
	if got := <-s.results; got.err != nil || !reflect.DeepEqual(got.values, want) {
		t.Errorf("%v, want %v", got, want)
	}
	return pages
}

func TestCallback_ServeHTTP_rejects_unrelated_requests(t *testing.T) {
	s := must(listen(t.Context()))
	port := s.address[strings.LastIndex(s.address, ":"):]
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that an accepted request doesn't wait for Close
	for _, row := range []struct {
		method, target, host, form string
		status                     int
	}{
		{"GET", "/favicon.ico", "", "", 404},
		{"GET", "/", "", "", 400},
		{"HEAD", "/?state=STATE", "", "", 405},
		{"OPTIONS", "/?state=STATE", "", "", 405},
		{"PUT", "/", "", "state=STATE", 405},
		{"GET", "/?code=x&state=wrong", "", "", 400},
		{"GET", "/?code=x&state=", "", "", 400},
		{"GET", "/?error=access_denied", "", "", 400},
		{"GET", "/?error=access_denied&state=" + strings.ToLower(s.state), "", "", 400},
		{"GET", "/callback?code=x&state=STATE", "", "", 404},
		{"GET", "/?code=x&code=y&state=STATE", "", "", 400},
		{"GET", "/?code=x&state=STATE", "evil.example" + port, "", 421},
		{"GET", "/?code=x&state=STATE", "localhost", "", 421},
		{"POST", "/", "", "code=x&state=wrong", 400},
		{"POST", "/?code=x&state=STATE", "", "a=b", 400},
		{"POST", "/", "", "state=STATE&code=" + strings.Repeat("x", 70_000), 400},
	} {
		target, form := strings.ReplaceAll(row.target, "STATE", s.state), strings.ReplaceAll(row.form, "STATE", s.state)
		status, page := serve(ctx, t, s, row.method, target, row.host, form)
		if status != row.status || strings.Contains(page, s.state) {
			t.Errorf("%s %s %.40s: %d %s", row.method, row.target, row.form, status, page)
		}
	}
	if len(s.results) > 0 {
		t.Errorf("accepted %+v", <-s.results)
	}
	accept(t, s, url.Values{"code": {"the code"}}) // the right one is still accepted
	s.close(nil)
}

// Browsers differ in which address localhost is.
func TestCallback_ServeHTTP_on_both_loopback_addresses(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if l, err := net.Listen("tcp", host+":0"); err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		} else {
			l.Close()
		}
		s := must(listen(t.Context()))
		query := url.Values{"state": {s.state}, "code": {"c"}, "error": {"e"}, "error_description": {"d"}}
		address, pages := strings.Replace(s.address, "localhost", host, 1)+"/?"+query.Encode(), make(chan received, 1)
		go func() { pages <- read(http.Get(address)) }()
		if got := <-s.results; !reflect.DeepEqual(got.values, query) {
			t.Errorf("%s: %v", host, got)
		}
		s.close(nil)
		if got := <-pages; got.status != http.StatusOK {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestCallback_ServeHTTP_answers_a_reload_alike(t *testing.T) {
	s := must(listen(t.Context()))
	pages := make(chan string)
	for range 3 { // one is received, and one fits into the channel
		go func() {
			_, page := serve(t.Context(), t, s, "GET", "/?code=x&state="+s.state, "", "")
			pages <- page
		}()
	}
	<-s.results
	s.close(nil)
	for range 3 {
		if page := <-pages; !strings.Contains(page, "You are signed in.") {
			t.Error(page)
		}
	}
}

func TestCallback_close(t *testing.T) {
	for _, row := range []struct {
		outcome error
		status  int
		want    string
	}{
		{nil, 200, "You are signed in."},
		{errors.New("<b>declined</b>"), 400, "Sign-in failed.</h1><p>Reason: &lt;b&gt;declined&lt;/b&gt;."},
	} {
		s := must(listen(t.Context()))
		pages := accept(t, s, url.Values{"error": {"access_denied"}})
		s.close(row.outcome)
		if got := <-pages; got.status != row.status || !strings.Contains(got.text, row.want) {
			t.Errorf("%v: %v", row.outcome, got)
		}
		if conn, err := net.Dial("tcp", strings.TrimPrefix(s.address, "http://")); err == nil {
			conn.Close()
			t.Error("it still listens")
		}
	}
}

// signInPage returns where a start address leads.
func signInPage(t *testing.T, start string) string {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(start)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("Location")
}

// TestCallback_redirect_for_an_unknown_user is what happens where the system doesn't tell whose program opens the start
// address: requests of httptest have no connection.
func TestCallback_redirect_for_an_unknown_user(t *testing.T) {
	s := must(listen(t.Context()))
	defer s.close(nil)
	if status, _ := serve(t.Context(), t, s, "GET", s.start, "", ""); status != 404 {
		t.Errorf("%d before there is a page", status)
	}
	page := "https://login.microsoftonline.com/page"
	s.page.Store(&page)
	for _, want := range []int{302, 403, 403} {
		if status, _ := serve(t.Context(), t, s, "GET", s.start, "", ""); status != want {
			t.Errorf("%d, want %d", status, want)
		}
	}
	if got := <-s.results; !fault.Is(got.err, fault.SignInOpened) {
		t.Errorf("%+v", got)
	}
}

func TestLoopback_never_shares_a_port(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	} else {
		l.Close()
	}
	for range 50 {
		for _, l := range must(loopback(t.Context())) {
			defer l.Close()
		}
	}
	listeners := must(loopback(t.Context()))
	defer listeners[0].Close()
	defer listeners[1].Close()
	if len(listeners) != 2 || listeners[0].Addr().(*net.TCPAddr).Port != listeners[1].Addr().(*net.TCPAddr).Port {
		t.Error(listeners)
	}
}

// A scanner sends what isn't HTTP, or half a request, or nothing.
func TestCallback_close_with_open_connections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 1 s")
	}
	s := must(listen(t.Context()))
	for _, sent := range []string{"\x16\x03\x01\x02\x00", "GET / HTTP/1.1\r\n", ""} {
		conn := must(net.Dial("tcp", strings.Replace(s.address, "http://localhost", "127.0.0.1", 1)))
		defer conn.Close()
		io.WriteString(conn, sent)
	}
	pages, start := accept(t, s, url.Values{"code": {"the code"}}), time.Now()
	s.close(nil)
	if took := time.Since(start); took > 3*time.Second || !strings.Contains((<-pages).text, "You are signed in.") {
		t.Errorf("closed after %v", took)
	}
}
