package httpguard_test

import (
	"errors"
	"net/http"
	"net/url"
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
