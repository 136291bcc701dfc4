package doctor

import (
	"slices"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func TestHelpersOfRegistriesConf(t *testing.T) {
	for _, row := range []struct {
		content string
		want    []string
		says    bool
	}{
		{"", nil, false},
		{"# credential-helpers = [\"acr\"]\n", nil, false},
		{"my-credential-helpers = [\"acr\"]\n", nil, false},
		{"credential-helpers = []\n", nil, true},
		{"credential-helpers=[\"acr\"]", []string{"acr"}, true},
		{"x = 1\n  credential-helpers = [ # none\n 'containers-auth.json', # files\n \"acr\",\n]\n", []string{"containers-auth.json", "acr"}, true},
	} {
		got, says := parseHelpers(row.content)
		if !slices.Equal(got, row.want) || says != row.says {
			t.Errorf("%q: %q, %v", row.content, got, says)
		}
	}
}

func TestSecretsInClear(t *testing.T) {
	for content, want := range map[string]bool{
		`{"auths": {"contoso.azurecr.io": {"auth": "c2Vj"}}}`:                  true,
		`{"auths": {"contoso.azurecr.io/app": {"auth": "c2Vj"}}}`:              true,
		`{"auths": {"https://contoso.azurecr.io": {"identitytoken": "c2Vj"}}}`: true,
		`{"auths": {"contoso.azurecr.io": {"auth": "", "email": "a@b"}}}`:      false,
		`{"auths": {"contoso.azurecr.io": {}}}`:                                false,
		`{"auths": {"contoso.azurecr.io": null}}`:                              false,
		`{"auths": {"contoso.azurecr.io.example": {"auth": "c2Vj"}}}`:          false,
		`{"auths": null}`: false,
	} {
		f, err := parseClientFile("", []byte(content))
		if err != nil || f.leftover("contoso.azurecr.io") != want {
			t.Errorf("%s: %v, %v", content, f.leftover("contoso.azurecr.io"), err)
		}
	}
}

func TestKeysThatNoClientMatches(t *testing.T) {
	host, err := registry.ParseHost("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{
		"contoso.azurecr.io": false, "Contoso.azurecr.io": true, "contoso.azurecr.io:443": true, "https://contoso.azurecr.io/v2/": true,
		"*.azurecr.io": true, "fabrikam.azurecr.io": false, "*.azurecr.cn": false, "ghcr.io": false,
	} {
		f := clientFile{CredHelpers: map[string]string{key: ours}}
		if got := f.nearly(host) == key; got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}

// TestEveryCodeHasAHint but those that are no trouble, and those whose fact says it.
func TestEveryCodeHasAHint(t *testing.T) {
	for _, code := range []string{
		codeNotOnPath, codeShadowed, codeSettings, codeNoVault, codeVault, codeLocked, codeUnavailable, codeNoKeyring, codeNotWired, codeKey, codeOther,
		codeUnreadable, codeLeftover, codeAuthConfig, codePodmanWiring, codePodmanOther, codePodmanBroken, codePodmanBefore, codeNobody, codeClock,
		codeBasic, codeNoChallenge, codeRealm, codePermissions, codePullMissing, codeNotAnonymous, codePassword,
	} {
		if hints[code] == "" {
			t.Errorf("%s has no hint", code)
		}
	}
}
