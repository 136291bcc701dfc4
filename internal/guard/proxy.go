package guard

import (
	"net/http"
	"net/url"
)

// ProxyOf is the proxy through which requests to a host go, without user name and
// password; "" for none. An error means that its address can't be used.
func ProxyOf(base http.RoundTripper, host string) (string, error) {
	t, ok := base.(*http.Transport)
	if !ok || t.Proxy == nil {
		return "", nil
	}
	proxy, err := t.Proxy(&http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: host, Path: "/"}})
	if err != nil { // its text quotes the address, password included
		return "", &Error{Host: host, Why: "is to be reached through a proxy whose address is not a URL", Hint: CodeProxy}
	}
	if proxy == nil {
		return "", nil
	}
	return proxy.Scheme + "://" + proxy.Host, nil
}
