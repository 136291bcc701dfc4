package guard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// schemes are those of proxies that net/http knows.
var schemes = []string{"http", "https", "socks5", "socks5h"}

// ProxyOf is the proxy through which requests to a host go, without user name and
// password; "" for none. An error means that its address can't be used.
func ProxyOf(base http.RoundTripper, host string) (string, error) {
	t, ok := base.(*http.Transport)
	if !ok || t.Proxy == nil {
		return "", nil
	}
	proxy, err := t.Proxy(&http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: host, Path: "/"}})
	if err == nil && proxy == nil {
		return "", nil
	}
	// Of an address that isn't understood any part may be the password.
	if err != nil || !slices.Contains(schemes, proxy.Scheme) || proxy.Hostname() == "" || strings.HasSuffix(proxy.Host, ":") {
		return "", &Error{Host: host, Why: "is to be reached through a proxy whose address is not a URL", Hint: CodeProxy}
	}
	return proxy.Scheme + "://" + proxy.Host, nil
}
