package guard_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

func TestTheProxyIsNamedWithoutItsPassword(t *testing.T) {
	for _, row := range []struct{ configured, want string }{
		{"", ""},
		{"http://proxy.example:8080", "http://proxy.example:8080"},
		{"http://ada:c4n4ry@proxy.example:8080/c4n4ry?c4n4ry", "http://proxy.example:8080"},
		{"socks5://ada:c4n4ry@[::1]:1080", "socks5://[::1]:1080"},
		{"c4n4ry:c4n4ry@proxy.example:8080", "?"}, // reads as a scheme
		{"http://http://ada:c4n4ry@[::1", "?"},    // what net/http makes of http://ada:…@[::1
		{"http://:c4n4ry@", "?"},
	} {
		transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			if row.configured == "" {
				return nil, nil
			}
			u, err := url.Parse(row.configured)
			if err != nil {
				err = errors.New("invalid proxy address " + row.configured)
			}
			return u, err
		}}
		got, err := guard.ProxyOf(transport, "contoso.azurecr.io")
		if err != nil {
			got = "?"
			if strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("%s: %v", row.configured, err)
			}
		}
		if got != row.want {
			t.Errorf("%s: %s", row.configured, got)
		}
	}
	if got, err := guard.ProxyOf(transport(nil), "contoso.azurecr.io"); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
