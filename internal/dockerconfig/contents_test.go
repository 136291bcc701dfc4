package dockerconfig

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func TestRead(t *testing.T) {
	for _, row := range []struct {
		text, store string
		helpers     map[string]string
	}{
		{"", "", nil},
		{"null", "", nil},
		{`{"credsStore": "x"}`, "x", nil},
		{`{"credshelpers": {"a": "y"}, "CREDHELPERS": {"b": "z"}, "credsStore": ""}`, "", map[string]string{"b": "z"}},
		{`{"credHelpers": {"b": "y", "b": "z"}}`, "", map[string]string{"b": "z"}},
	} {
		if r, err := Read([]byte(row.text)); err != nil || r.Store != row.store || !maps.Equal(r.Helpers, row.helpers) {
			t.Errorf("%s: %v, %v", row.text, r, err)
		}
	}
	for _, text := range []string{
		"[]", `{"a": 1,}`, `{"credHelpers": []}`, `{"auths": "c4n4ry"}`, `{"auths": {"a": 5}}`,
		`{"auths": {"a": {"auth": 5}}}`,
	} {
		if _, err := Read([]byte(text)); err == nil || err.Error() != "it is not a valid Docker config file (JSON)" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Docker and Podman can't read what some Windows tools write.
func TestRead_names_other_encodings(t *testing.T) {
	for text, want := range map[string]string{
		"\ufeff{}":           "it begins with a byte order mark; save it as UTF-8 without one",
		"\xff\xfe{\x00}\x00": "it is UTF-16 text; save it as UTF-8",
		"\xfe\xff\x00{\x00}": "it is UTF-16 text; save it as UTF-8",
	} {
		if _, err := Read([]byte(text)); fault.CodeOf(err) != fault.ClientMalformed || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRead_credentials(t *testing.T) {
	const guid = registry.NullGUID
	encoded := func(auth string) string { return base64.StdEncoding.EncodeToString([]byte(auth)) }
	for _, row := range []struct {
		entry, user, secret string
		token, none         bool
	}{
		{entry: `{}`, none: true},
		{entry: `null`, none: true},
		{entry: `{"email": "e"}`, none: true},
		{entry: `{"auth": "` + encoded("x:y:z\x00") + `"}`, user: "x", secret: "y:z"},
		{entry: `{"username": "x", "password": "y"}`, user: "x", secret: "y"},
		{entry: `{"auth": "no base64"}`},          // it may be the only credential
		{entry: `{"auth": "dXNlcjpwYXNzd29yZA"}`}, // user:password without padding, which no client decodes
		{entry: `{"auth": "dXNlcjpw!!!!"}`},
		{entry: `{"auth": "eDp5", "registrytoken": "t"}`, user: "x", secret: "y"},
		{entry: `{"username": "` + guid + `", "password": "y"}`, user: guid, secret: "y", token: true},
		{entry: `{"auth": "` + encoded(guid+":y") + `"}`, user: guid, secret: "y", token: true},
		{entry: `{"auth": "` + encoded("<token>:y") + `"}`, user: registry.IdentityToken, secret: "y", token: true},
		{entry: `{"auth": "eDp5", "identitytoken": "t"}`, user: registry.IdentityToken, secret: "t", token: true},
		{entry: `{"registrytoken": "t"}`, user: registry.IdentityToken, token: true},
	} {
		r, err := Read([]byte(`{"auths": {"s": ` + row.entry + `}}`))
		if err != nil || (len(r.Credentials) == 0) != row.none {
			t.Errorf("%s: %v, %v", row.entry, r, err)
		}
		for _, c := range r.Credentials {
			if c.Server != "s" || c.User != row.user || c.Secret.Reveal() != row.secret || c.Token != row.token {
				t.Errorf("%s: %v", row.entry, c)
			}
		}
	}
}

func TestCredential_Hostname_and_IsFor(t *testing.T) {
	const host = "contoso.azurecr.io"
	for server, row := range map[string]struct {
		hostname string
		isFor    bool
	}{
		"contoso.azurecr.io":                       {"contoso.azurecr.io", true},
		"http://contoso.azurecr.io":                {"contoso.azurecr.io", true},
		"https://contoso.azurecr.io/v1/":           {"contoso.azurecr.io", true},
		"HTTPS://contoso.azurecr.io/v1/":           {"contoso.azurecr.io", false},
		"https://me:c4n4ry@contoso.azurecr.io":     {"contoso.azurecr.io", false},
		"ftp://contoso.azurecr.io/x":               {"contoso.azurecr.io", false},
		"Contoso.azurecr.io":                       {"Contoso.azurecr.io", false},
		"contoso.azurecr.io:443":                   {"contoso.azurecr.io:443", false},
		"contoso.azurecr.io/app":                   {"contoso.azurecr.io", true},
		"contoso.azurecr.io.example":               {"contoso.azurecr.io.example", false},
		"http://localhost:5000/v2/":                {"localhost:5000", false},
		"https://index.docker.io/v1/":              {"https://index.docker.io/v1/", false},
		"https://index.docker.io/v1/refresh-token": {"https://index.docker.io/v1/refresh-token", false},
	} {
		c := Credential{Server: server, Podman: true}
		if c.Hostname() != row.hostname || c.IsFor(host) != row.isFor {
			t.Errorf("%s: %s, %v", server, c.Hostname(), c.IsFor(host))
		}
	}
}

func TestParseAuthVariable(t *testing.T) {
	for value, want := range map[string]string{
		`{"auths": {"contoso.azurecr.io": {"auth": "eDp5"}}}`: "contoso.azurecr.io",
		`{"auths": {}}`: "",
		`{"auths": {"contoso.azurecr.io": {"identitytoken": "t"}}}`:                "error",
		`{"auths": {"contoso.azurecr.io": {"auth": "no base64"}}}`:                 "error",
		`{"auths": {"contoso.azurecr.io": {"auth": "eDp5"}}, "credsStore": "acr"}`: "error",
		`{"auths": {}} {}`: "error",
		"c4n4ry":           "error",
	} {
		servers, err := ParseAuthVariable(value)
		got := strings.Join(servers, " ")
		if err != nil {
			got = "error"
		}
		if got != want || err != nil && strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
}
