package httpguard

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// proxyVariables are those that net/http reads for https requests; the first that is set
// counts.
var proxyVariables = []string{"HTTPS_PROXY", "https_proxy"}

// proxySchemes are those of the proxies that net/http supports.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// TrimProxyVariables removes white space at the ends of the proxy variables, such as the
// line break of a file that Windows tools wrote, and returns the corrected environment. With
// setenv it corrects the process's own, which is the one that net/http reads: that would
// take a variable with a line break for no proxy at all.
func TrimProxyVariables(environ []string, setenv func(name, value string) error) []string {
	corrected := slices.Clone(environ)
	for i, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		trimmed := strings.TrimSpace(value)
		if trimmed != value && slices.Contains([]string{"HTTPS_PROXY", "NO_PROXY"}, strings.ToUpper(name)) {
			_ = setenv(name, trimmed)
			corrected[i] = name + "=" + trimmed
		}
	}
	return corrected
}

// maxHeader limits the header of an answer, a proxy's as well. Azure's have 1 to 2 KB.
const maxHeader = 64 << 10

// Hardened returns a transport like base that reads no endless headers, and says what is
// wrong with a proxy. Where the proxy comes from the environment, a variable that can't be
// parsed is an error of every request: net/http would connect directly. A proxy's own
// refusal is an error that names it. Transports other than *http.Transport are returned as
// they are, and so is one that has no proxy, or a hook of its own for the proxy's answers.
func Hardened(base http.RoundTripper, getenv func(string) string) http.RoundTripper {
	t, ok := base.(*http.Transport)
	if !ok || t.Proxy == nil || t.OnProxyConnectResponse != nil {
		return base
	}
	t = t.Clone()
	Harden(t, getenv)
	return t
}

// Harden does the same to a transport that the caller owns and has not used yet,
// without the tenth of a millisecond that the first copy takes.
func Harden(base http.RoundTripper, getenv func(string) string) {
	t, ok := base.(*http.Transport)
	if !ok {
		return
	}
	t.OnProxyConnectResponse, t.MaxResponseHeaderBytes = checkConnect, cmp.Or(t.MaxResponseHeaderBytes, maxHeader)
	find := t.Proxy
	if find == nil || reflect.ValueOf(find).Pointer() != reflect.ValueOf(http.ProxyFromEnvironment).Pointer() {
		return
	}
	t.Proxy = func(req *http.Request) (*url.URL, error) {
		if err := checkProxyVariables(getenv); err != nil {
			return nil, err
		}
		return find(req)
	}
}

// checkProxyVariables returns an error that names the variable whose value is no proxy.
func checkProxyVariables(getenv func(string) string) error {
	name := proxyVariables[0]
	if getenv(name) == "" {
		name = proxyVariables[1]
	}
	value := getenv(name)
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" { // as net/http does: HOST:PORT is enough
		u, err = url.Parse("http://" + value)
	}
	if err == nil && isProxy(u) {
		return nil
	}
	// Any part of a value that can't be parsed may be the password, so it is not shown.
	return fault.InvalidVariable(fault.Variable, name, value, "is not a valid proxy URL")
}

// isProxy reports whether net/http can use a proxy. Of http://ada:a#b@[::1 it makes the
// host "http:".
func isProxy(u *url.URL) bool {
	return slices.Contains(proxySchemes, u.Scheme) && u.Hostname() != "" && !strings.HasSuffix(u.Host, ":")
}

// checkConnect is net/http's hook for a proxy's answer to CONNECT. Its own error would be
// the proxy's text.
func checkConnect(_ context.Context, proxy *url.URL, connect *http.Request, resp *http.Response) error {
	host, _, _ := net.SplitHostPort(connect.Host)
	e := &fault.Error{Subject: "the proxy", Status: resp.StatusCode}
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return nil
	case status == http.StatusProxyAuthRequired && proxy.User != nil:
		e.Code, e.Reason = fault.ProxyPassword, "does not accept the user name and password"
	case status == http.StatusProxyAuthRequired:
		e.Code, e.Reason = fault.ProxyPassword, "wants a user name and password"
	case status >= http.StatusInternalServerError:
		e.Code, e.Reason = fault.ProxyFailed, "can't reach "+host
	default:
		e.Code, e.Reason = fault.ProxyDenied, "does not allow connections to "+host
	}
	return e
}

// ProxyFor returns the proxy through which requests to a host go, without user name and
// password; "" for none. An error means that its address can't be used.
func ProxyFor(base http.RoundTripper, host string) (string, error) {
	t, ok := base.(*http.Transport)
	if !ok || t.Proxy == nil {
		return "", nil
	}
	proxy, err := t.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
	switch {
	case err == nil && proxy == nil:
		return "", nil
	case fault.CodeOf(err) != "":
		return "", err
	case err != nil || !isProxy(proxy): // the error may quote the password
		return "", fault.New(fault.Proxy, "the proxy's URL is not valid")
	}
	return proxy.Scheme + "://" + proxy.Host, nil
}
