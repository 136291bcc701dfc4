package wired

import (
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func contoso(t *testing.T) registry.Host {
	t.Helper()
	host, err := registry.ParseHost("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func TestSecretsInClear(t *testing.T) {
	host := contoso(t)
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
		if err != nil || (Clients{}).leftover(r, host) != want {
			t.Errorf("%s: %v, %v", content, r, err)
		}
	}
}

func TestKeysThatNoClientMatches(t *testing.T) {
	host := contoso(t)
	for key, want := range map[string]bool{
		"contoso.azurecr.io": false, "Contoso.azurecr.io": true, "contoso.azurecr.io:443": true, "https://contoso.azurecr.io/v2/": true,
		"*.azurecr.io": true, "fabrikam.azurecr.io": false, "*.azurecr.cn": false, "ghcr.io": false,
	} {
		r := clientconfig.Reading{Helpers: map[string]string{key: ours}}
		if got := (Clients{}).nearly(r, host) == key; got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}
