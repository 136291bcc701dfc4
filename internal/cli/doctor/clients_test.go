package doctor

import (
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
)

func examOf(t *testing.T, image string) *exam {
	t.Helper()
	e := &exam{}
	if err := e.read(image); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestImages(t *testing.T) {
	for typed, want := range map[string]string{
		"contoso.azurecr.io": "", "https://contoso.azurecr.io/v2/": "", "contoso.azurecr.io/app": "app", "contoso.azurecr.io:443/Team/app:1.2-rc_3": "team/app",
		"contoso.azurecr.io/app:1@sha256:0123": "app", "contoso.azurecr.io/app@sha256:0123": "app",
	} {
		if e := examOf(t, typed); e.host.String() != "contoso.azurecr.io" || e.repository != want {
			t.Errorf("%s: %s, %q", typed, e.host, e.repository)
		}
	}
	for _, typed := range []string{"ghcr.io/app", "contoso.azurecr.io@evil.example", "contoso.azurecr.io/a!b"} {
		if err := new(exam).read(typed); err == nil {
			t.Errorf("%s is taken", typed)
		}
	}
}

func TestSecretsInClear(t *testing.T) {
	e := examOf(t, "contoso.azurecr.io")
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
		r, err := clientconfig.Read([]byte(content))
		if err != nil || e.leftover(r) != want {
			t.Errorf("%s: %v, %v", content, r, err)
		}
	}
}

func TestKeysThatNoClientMatches(t *testing.T) {
	e := examOf(t, "contoso.azurecr.io")
	for key, want := range map[string]bool{
		"contoso.azurecr.io": false, "Contoso.azurecr.io": true, "contoso.azurecr.io:443": true, "https://contoso.azurecr.io/v2/": true,
		"*.azurecr.io": true, "fabrikam.azurecr.io": false, "*.azurecr.cn": false, "ghcr.io": false,
	} {
		r := clientconfig.Reading{Helpers: map[string]string{key: ours}}
		if got := e.nearly(r) == key; got != want {
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
