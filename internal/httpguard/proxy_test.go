package httpguard_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
)

func TestProxyFor_omits_user_and_password(t *testing.T) {
	const invalid = "?"
	for _, row := range []struct{ configured, want string }{
		{"", ""},
		{"http://proxy.example:8080", "http://proxy.example:8080"},
		{"http://ada:c4n4ry@proxy.example:8080/c4n4ry?c4n4ry", "http://proxy.example:8080"},
		{"socks5://ada:c4n4ry@[::1]:1080", "socks5://[::1]:1080"},
		{"c4n4ry:c4n4ry@proxy.example:8080", invalid}, // c4n4ry is parsed as the scheme
		{"http://http://ada:c4n4ry@[::1", invalid},    // what net/http makes of http://ada:c4n4ry@[::1
		{"http://:c4n4ry@", invalid},
	} {
		base := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			if row.configured == "" {
				return nil, nil
			}
			u, err := url.Parse(row.configured)
			if err != nil {
				err = errors.New("invalid proxy address " + row.configured)
			}
			return u, err
		}}
		got, err := httpguard.ProxyFor(base, host)
		if err != nil {
			got = invalid
			if fault.CodeOf(err) != fault.Proxy || strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("%s: %v", row.configured, err)
			}
		}
		if got != row.want {
			t.Errorf("%s: %s", row.configured, got)
		}
	}
	if got, err := httpguard.ProxyFor(transport(nil), host); got != "" || err != nil {
		t.Errorf("another transport: %q, %v", got, err)
	}
}

func TestTrimProxyVariables(t *testing.T) {
	environ := []string{"HTTPS_PROXY=http://p:1\r\n", "https_proxy=http://p:1", "no_proxy= a,b ", "HOME= /h ", "HTTPS_PROXY"}
	set := map[string]string{}
	got := httpguard.TrimProxyVariables(environ, func(name, value string) error {
		set[name] = value
		return nil
	})
	if len(set) != 2 || set["HTTPS_PROXY"] != "http://p:1" || set["no_proxy"] != "a,b" {
		t.Errorf("set %q", set)
	}
	want := []string{"HTTPS_PROXY=http://p:1", "https_proxy=http://p:1", "no_proxy=a,b", "HOME= /h ", "HTTPS_PROXY"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A variable that net/http would ignore must not make a request go out directly.
func TestHardened_checks_variables(t *testing.T) {
	const used = "used" // by net/http, or none is set
	for _, row := range []struct{ upper, lower, want string }{
		{"", "", used},
		{"http://127.0.0.1:1", "", used},
		{"127.0.0.1:1", "", used}, // net/http adds the scheme
		{"socks5://127.0.0.1:1", "", used},
		{"http://ada:c4n4ry%40@127.0.0.1:1", "", used},
		{"", "https://127.0.0.1:1", used},
		{"http://127.0.0.1:1", "http://c4n4ry%zz@x", used}, // which doesn't count
		{"http://ada:c4n4ry%G4g@127.0.0.1:1", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"", "http://ada:c4n4ry%G4g@127.0.0.1:1", "https_proxy is not a valid proxy URL"},
		{"http://ada:c4n4ry#x@127.0.0.1:1", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"http://ada:c4n4ry/x@127.0.0.1:1", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"http://ada:c4n4ry x@127.0.0.1:1", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"http://127.0.0.1:port", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"http://", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"ftp://127.0.0.1:1", "", "HTTPS_PROXY is not a valid proxy URL"},
		{"http://127.0.0.1:1\r", "", "HTTPS_PROXY ends with a line break"}, // in a library, which can't trim it
		{`"http://127.0.0.1:1"`, "", "HTTPS_PROXY is in quotes"},
		{" ", "", "HTTPS_PROXY is not a valid proxy URL"},
	} {
		getenv := func(name string) string {
			return map[string]string{"HTTPS_PROXY": row.upper, "https_proxy": row.lower}[name]
		}
		dialed := 0
		base := &http.Transport{
			Proxy: http.ProxyFromEnvironment, // of this process, which has none
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				dialed++
				return nil, errors.New("no network")
			},
		}
		_, _, err := get(newClient(httpguard.Hardened(base, getenv)), address)
		switch {
		case row.want == used && dialed == 0:
			t.Errorf("%q: %v", row.upper, err)
		case row.want != used && (dialed > 0 || err.Error() != row.want):
			t.Errorf("%q: %v, %d connections", row.upper, err, dialed)
		}
		if _, err := httpguard.ProxyFor(httpguard.Hardened(base, getenv), host); (err == nil) != (row.want == used) {
			t.Errorf("%q: ProxyFor: %v", row.upper, err)
		}
	}
}

func TestHardened_leaves_other_transports(t *testing.T) {
	bad := func(string) string { return "http://%zz" }
	own := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})}
	if got, err := httpguard.ProxyFor(httpguard.Hardened(own, bad), host); got != "http://127.0.0.1:1" || err != nil {
		t.Errorf("a proxy of the caller's own: %q, %v", got, err)
	}
	if own.OnProxyConnectResponse != nil {
		t.Error("the caller's transport was changed")
	}
	if _, ok := httpguard.Hardened(transport(nil), bad).(transport); !ok {
		t.Error("another kind of transport was replaced")
	}
	prepared := httpguard.Hardened(own, bad)
	if httpguard.Hardened(prepared, bad) != prepared {
		t.Error("a prepared transport was replaced, with its connections")
	}
}

// proxyThatAnswers returns the address of a proxy that gives one answer to every request.
func proxyThatAnswers(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestHardened_names_refusals(t *testing.T) {
	for _, row := range []struct {
		status, user string
		code         fault.Code
		want         string
	}{
		{"407 c4n4ry", "", fault.ProxyPassword, "the proxy wants a user name and password (HTTP 407)"},
		{"407 c4n4ry", "ada:c4n4ry@", fault.ProxyPassword, "the proxy does not accept the user name and password (HTTP 407)"},
		{"403 c4n4ry", "", fault.ProxyDenied, "the proxy does not allow connections to " + host + " (HTTP 403)"},
		{"400 c4n4ry", "", fault.ProxyDenied, "the proxy does not allow connections to " + host + " (HTTP 400)"},
		{"302 c4n4ry", "", fault.ProxyDenied, "the proxy does not allow connections to " + host + " (HTTP 302)"},
		{"502 c4n4ry", "", fault.ProxyFailed, "the proxy can't reach " + host + " (HTTP 502)"},
		{"503 c4n4ry", "", fault.ProxyFailed, "the proxy can't reach " + host + " (HTTP 503)"},
		{"504 c4n4ry", "", fault.ProxyFailed, "the proxy can't reach " + host + " (HTTP 504)"},
	} {
		proxy, err := url.Parse("http://" + row.user + proxyThatAnswers(t, "HTTP/1.1 "+row.status+"\r\nContent-Length: 0\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		base := &http.Transport{Proxy: http.ProxyURL(proxy)}
		_, _, err = get(newClient(httpguard.Hardened(base, os.Getenv)), address)
		if fault.CodeOf(err) != row.code || err.Error() != row.want {
			t.Errorf("%s: %s: %v", row.status, fault.CodeOf(err), err)
		}
	}
}

func TestHardened_of_what_is_no_proxy(t *testing.T) {
	for _, answer := range []string{"SSH-2.0-c4n4ry\r\n", "\x15\x03\x01\x00\x02\x02\x16", "c4n4ry\r\n\r\n"} {
		proxy := &url.URL{Scheme: "http", Host: proxyThatAnswers(t, answer)}
		base := &http.Transport{Proxy: http.ProxyURL(proxy)}
		_, _, err := get(newClient(httpguard.Hardened(base, os.Getenv)), address)
		explained := httpguard.Explain(host, err)
		if explained.Code != fault.Proxy || strings.Contains(explained.Error(), "c4n4ry") {
			t.Errorf("%q: %s: %v", answer, explained.Code, explained)
		}
	}
}

func TestExplain_refusals_of_SOCKS(t *testing.T) {
	for answer, want := range map[string]fault.Code{
		"no acceptable authentication methods":            fault.ProxyPassword,
		"username/password authentication failed":         fault.ProxyPassword,
		"unknown error connection not allowed by ruleset": fault.ProxyDenied,
		"unknown error host unreachable":                  fault.ProxyFailed,
		"unexpected protocol version 72":                  fault.Proxy,
	} {
		err := httpguard.Explain(host, &net.OpError{Op: "socks connect", Err: errors.New(answer)})
		if err.Code != want || strings.Contains(err.Error(), answer) {
			t.Errorf("%s: %s: %v", answer, err.Code, err)
		}
	}
}

func TestExplain_keeps_the_end_of_the_context(t *testing.T) {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		err := httpguard.Explain(host, &url.Error{Op: "Post", URL: "https://c4n4ry/", Err: ended})
		if !errors.Is(err, ended) || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%v: %v", ended, err)
		}
	}
	if err := httpguard.Explain(host, io.EOF); errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
