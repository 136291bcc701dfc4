package registry_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// What a server string is taken for: a host, "foreign" or "refused".
const foreign, refused = "foreign", "refused"

var servers = []struct{ server, want string }{
	// what clients send
	{"contoso.azurecr.io", "contoso.azurecr.io"},
	{"Contoso.AzureCR.io", "contoso.azurecr.io"},
	{"contoso.azurecr.io:443", "contoso.azurecr.io"},
	{"https://contoso.azurecr.io", "contoso.azurecr.io"},
	{"HTTPS://CONTOSO.AZURECR.IO", "contoso.azurecr.io"},
	{"https://contoso.azurecr.io/", "contoso.azurecr.io"},
	{"https://contoso.azurecr.io/v1/", "contoso.azurecr.io"},
	{"https://contoso.azurecr.io/v2/", "contoso.azurecr.io"},
	{"https://contoso.azurecr.io:443/v2/", "contoso.azurecr.io"},
	{"contoso.azurecr.io/", "contoso.azurecr.io"},
	{"contoso.azurecr.io/app", "contoso.azurecr.io"}, // go-containerregistry
	{"contoso.azurecr.io/team/app", "contoso.azurecr.io"},

	// kinds of login server
	{"c.azurecr.io", "c.azurecr.io"},
	{"contoso-a1b2c3d4.azurecr.io", "contoso-a1b2c3d4.azurecr.io"}, // domain name label
	{"contoso.westeurope.geo.azurecr.io", "contoso.westeurope.geo.azurecr.io"},
	{"contoso-a1b2.westeurope.geo.azurecr.io", "contoso-a1b2.westeurope.geo.azurecr.io"},
	{"contoso.azurecr.cn", "contoso.azurecr.cn"},
	{"contoso.azurecr.us", "contoso.azurecr.us"},
	{"contoso.azurecr.de", "contoso.azurecr.de"},
	{"contoso.azurecr.sovcloud-azure.fr", "contoso.azurecr.sovcloud-azure.fr"},
	{"contoso.azurecr.sovcloud-azure.de", "contoso.azurecr.sovcloud-azure.de"},
	{"contoso.azurecr-test.io", "contoso.azurecr-test.io"},

	// other registries, which a credsStore is asked about as well
	{"ghcr.io", foreign},
	{"https://index.docker.io/v1/", foreign},
	{"https://index.docker.io/v1/access-token", foreign},
	{"https://index.docker.io/v1/refresh-token", foreign},
	{"https://not.a.real.registry/url", foreign}, // testcontainers for Java asks for it
	{"mcr.microsoft.com", foreign},
	{"localhost", foreign},
	{"localhost:5000", foreign},
	{"http://localhost:5000", foreign},
	{"127.0.0.1", foreign},
	{"[::1]:5000", foreign},
	{"contoso.blob.core.windows.net", foreign},
	{"contoso.westus.data.azurecr.io", refused}, // data endpoint
	{"login.microsoftonline.com", foreign},
	{"harbor.example/contoso.azurecr.io/app", foreign}, // a proxy cache, which crane asks for with its path
	{"http://harbor.example/contoso.azurecr.io/app", foreign},
	{"evil.example/contoso.azurecr.io", foreign},

	// refused, never guessed
	{"", refused},
	{"azurecr.io", refused},
	{".azurecr.io", refused},
	{"evilazurecr.io", refused},
	{"azurecr.io.", refused},
	{"contoso.azurecr.io.", refused}, // a trailing dot is another origin to TLS and to caches
	{"contoso..azurecr.io", refused},
	{"contoso.azurecr.io.evil.example", refused}, // would send an Entra token to another host
	{"contoso.azurecr.io@evil.example", refused},
	{"https://contoso.azurecr.io@evil.example", refused},
	{"https://user:password@contoso.azurecr.io", refused},
	{"evil.com#x.azurecr.io", refused},
	{"evil.com?x.azurecr.io", refused},
	{"contoso.azurecr.io:8443", refused},
	{"contoso.azurecr.io:80", refused},
	{"contoso.azurecr.io:", refused},
	{"contoso.azurecr.io:0443", refused},
	{"contoso.azurecr.io:443:443", refused},
	{"x.azurecr.io:443@evil", refused},
	{"http://contoso.azurecr.io", refused},
	{"ftp://contoso.azurecr.io", refused},
	{"https://https://contoso.azurecr.io", refused},
	{"//contoso.azurecr.io", refused},
	{"a.b.azurecr.io", refused},
	{"a.geo.azurecr.io", refused},
	{"a.b.c.geo.azurecr.io", refused},
	{"a.west-europe.geo.azurecr.io", refused},
	{"contoso--x.azurecr.io", refused},
	{"a-b-c.azurecr.io", refused},
	{"-contoso.azurecr.io", refused},
	{"contoso-.azurecr.io", refused},
	{"con_toso.azurecr.io", refused},
	{"*.azurecr.io", refused},
	{"xn--contso-4ve.azurecr.io", refused},
	{strings.Repeat("a", 64) + ".azurecr.io", refused},
	{"x.azurecr.io%00.evil", refused},
	{"x.azurecr.io%2eevil", refused},
	{`x.azurecr.io\evil`, refused},
	{`https:\\x.azurecr.io`, refused},
	{"contoso.azurecr.io\n", refused}, // the program takes the one newline off that ends its input
	{"contoso.azurecr.io\x00", refused},
	{"contoso.azurecr.io\x00.evil.example", refused},
	{"contoso.azurecr.io\t", refused},
	{" contoso.azurecr.io", refused},
	{"contoso .azurecr.io", refused},
	{"contoso.azurecr.io\x7f", refused},
	{"c\u043entoso.azurecr.io", refused}, // Cyrillic o
	{"contoso.azurecr\u3002io", refused}, // which IDNA maps to a dot
	{"contoso\uff0eazurecr.io", refused}, // full-width dot
	{"contoso.azurecr.io/" + strings.Repeat("a", 300), refused},
	{"ghcr.io/" + strings.Repeat("a", 300), refused},
	{"ghcr.io\n", refused},
}

func classify(server string) string {
	host, err := registry.ParseHost(server)
	if err == nil {
		return host.String()
	}
	if errors.Is(err, registry.ErrNotACR) {
		return foreign
	}
	return refused
}

func TestParseHost(t *testing.T) {
	for _, row := range servers {
		if got := classify(row.server); got != row.want {
			t.Errorf("ParseHost(%q): %s, want %s", row.server, got, row.want)
		}
	}
}

func TestHost_Cloud(t *testing.T) {
	for _, row := range []struct{ server, authority, global string }{
		{"contoso-a1b2c3.azurecr.io", "login.microsoftonline.com", "contoso-a1b2c3.azurecr.io"}, // a domain name label's hash, or a tenant's suffix
		{"contoso.azurecr.io", "login.microsoftonline.com", "contoso.azurecr.io"},
		{"contoso.westeurope.geo.azurecr.io", "login.microsoftonline.com", "contoso.azurecr.io"},
		{"contoso.azurecr.cn", "login.partner.microsoftonline.cn", "contoso.azurecr.cn"},
		{"contoso.azurecr.us", "login.microsoftonline.us", "contoso.azurecr.us"},
		{"contoso.azurecr.de", "login.microsoftonline.de", "contoso.azurecr.de"},
		{"contoso.azurecr.sovcloud-azure.fr", "login.sovcloud-identity.fr", "contoso.azurecr.sovcloud-azure.fr"},
		{"contoso.azurecr.sovcloud-azure.de", "login.sovcloud-identity.de", "contoso.azurecr.sovcloud-azure.de"},
		{"contoso.azurecr-test.io", "login.microsoftonline.com", "contoso.azurecr-test.io"},
	} {
		host, err := registry.ParseHost(row.server)
		if err != nil {
			t.Errorf("ParseHost(%q): %v", row.server, err)
			continue
		}
		if got := host.Cloud().Audience; got != "" {
			t.Errorf("%s wants tokens for %s", row.server, got)
		}
		if got := host.Cloud().Authority; got != row.authority {
			t.Errorf("%s signs in at %s, want %s", row.server, got, row.authority)
		}
		if got := host.Global(); got != row.global {
			t.Errorf("%s belongs to %s, want %s", row.server, got, row.global)
		}
	}
}

// FuzzParseHost holds what the rest of the program trusts: a Host is its own
// canonical name, stands at the start of what was sent, and means the same to
// net/url.
func FuzzParseHost(f *testing.F) {
	for _, row := range servers {
		f.Add(row.server)
	}
	f.Fuzz(func(t *testing.T, server string) {
		host, err := registry.ParseHost(server)
		if err != nil {
			return
		}
		name := host.String()
		if again, err := registry.ParseHost(name); err != nil || again.String() != name || again.Cloud().Suffix != host.Cloud().Suffix {
			t.Errorf("%q parsed to %q, which parses to %q, %v", server, name, again, err)
		}
		sent := strings.TrimPrefix(strings.ToLower(server), "https://")
		if rest, ok := strings.CutPrefix(sent, name); !ok || rest != "" && rest[0] != '/' && rest[0] != ':' {
			t.Errorf("%q parsed to %q", server, name)
		}
		u, err := url.Parse("https://" + name + "/oauth2/exchange")
		if err != nil || u.Host != name || u.Hostname() != name || u.Port() != "" || u.User != nil {
			t.Errorf("%q parsed to %q, which is %+v, %v as a URL", server, name, u, err)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || !strings.HasSuffix(name, "."+host.Cloud().Suffix) {
			t.Errorf("%q parsed to %q", server, name)
		}
	})
}

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		pattern, host string
		matches       bool
	}{
		{"contoso.azurecr.io", "contoso.azurecr.io", true},
		{"contoso.azurecr.io", "contoso.westeurope.geo.azurecr.io", false},
		{"*.azurecr.io", "contoso.azurecr.io", true},
		{"*.azurecr.io", "contoso-a1b2.azurecr.io", true},
		{"*.azurecr.io", "contoso.westeurope.geo.azurecr.io", true},
		{"*.azurecr.io", "contoso.azurecr.cn", false},
		{"contoso*.azurecr.io", "contoso.azurecr.io", true},
		{"contoso*.azurecr.io", "contoso-a1b2.azurecr.io", true},
		{"contoso*.azurecr.io", "contosi.azurecr.io", false},
		{"contoso.*.geo.azurecr.io", "contoso.westeurope.geo.azurecr.io", true},
		{"contoso.*.geo.azurecr.io", "contoso.azurecr.io", false},
		{"c*s*.azurecr.io", "contoso.azurecr.io", true},
		{"c*x*.azurecr.io", "contoso.azurecr.io", false},
	} {
		host, err := registry.ParseHost(row.host)
		if err != nil {
			t.Fatal(err)
		}
		if matches := registry.Matches(row.pattern, host); matches != row.matches || !registry.Clouds(nil).IsPattern(row.pattern) {
			t.Errorf("%s matches %s: %v", row.pattern, row.host, matches)
		}
	}
}

// TestMatches_many_stars would not end if matching tried everything.
func TestMatches_many_stars(t *testing.T) {
	host, err := registry.ParseHost(strings.Repeat("a", 50) + ".azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	if pattern := strings.Repeat("*a", 20) + "b.azurecr.io"; registry.Matches(pattern, host) {
		t.Errorf("%s matches %s", pattern, host)
	}
}

func TestClouds_IsPattern(t *testing.T) {
	for _, pattern := range []string{"", "*", "*.io", "azurecr.io", ".azurecr.io", "ghcr.io", "Contoso.azurecr.io", "a.b.azurecr.io", "c[o].azurecr.io", "c?.azurecr.io*", "https://contoso.azurecr.io", "contoso.azurecr.io/app"} {
		if registry.Clouds(nil).IsPattern(pattern) {
			t.Errorf("%q is taken for a pattern", pattern)
		}
	}
}

func TestCompareSpecificity(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"contoso.azurecr.io", "contos*.azurecr.io", 1},
		{"*.azurecr.io", "c*.azurecr.io", -1},
		{"c*.azurecr.io", "*o.azurecr.io", 0},
		{"c*o.azurecr.io", "co*.azurecr.io", 0},
	} {
		if got := registry.CompareSpecificity(row.a, row.b); got != row.want {
			t.Errorf("%s against %s: %d", row.a, row.b, got)
		}
	}
}
