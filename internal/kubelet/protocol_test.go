package kubelet

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const v1 = "credentialprovider.kubelet.k8s.io/v1"

func TestReadRequest(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"version 1", `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `","image":"Contoso.azurecr.io:443/a/b"}` + "\n", "Contoso.azurecr.io:443"},
		{"version 1beta1", `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `beta1","image":"contoso.azurecr.io/a"}`, "contoso.azurecr.io"},
		{"version 1alpha1", `{"apiVersion":"` + v1 + `alpha1","image":"contoso.azurecr.io/a","kind":"CredentialProviderRequest"}`, "contoso.azurecr.io"},
		{"a field of a later version", `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `","image":"x/y","pod":{"a":[1]}}`, "x"},
		{"no slash", `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `","image":"x"}`, "x"},
		{"empty", "", "standard input is empty"},
		{"white space", " \n", "standard input is empty"},
		{"no JSON", "contoso.azurecr.io", "is not a CredentialProviderRequest"},
		{"two objects", `{} {}`, "is not a CredentialProviderRequest"},
		{"another kind", `{"kind":"ExecCredential","apiVersion":"` + v1 + `","image":"x/y"}`, "is not a CredentialProviderRequest"},
		{"a later version", `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `2","image":"x/y"}`, `unknown version "` + v1 + `2"`},
		{"no version", `{"kind":"CredentialProviderRequest","image":"x/y"}`, `unknown version ""`},
		{"no image", `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `"}`, "names no image"},
		{"a megabyte", strings.Repeat("x", 1<<20), "more than 1048575 bytes"},
		{"a token that is no string", `{"kind":"CredentialProviderRequest","serviceAccountToken":["s3cret"]}`, "is not a CredentialProviderRequest"},
	} {
		r, err := ReadRequest(strings.NewReader(row.in))
		got := r.Registry()
		if err != nil {
			got = err.Error()
		}
		if got != row.want && (err == nil || !strings.Contains(got, row.want)) || strings.Contains(got, "s3cret") {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestReadRequest_service_account(t *testing.T) {
	r, err := ReadRequest(strings.NewReader(`{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `","image":"x/y",
		"serviceAccountToken":"a.b.c","serviceAccountAnnotations":{"kubernetes.azure.com/acr-client-id":"7d1c"}}`))
	if err != nil || r.Token.Reveal() != "a.b.c" || r.Annotations[ClientIDAnnotation] != "7d1c" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestResponse_Encode(t *testing.T) {
	for _, row := range []struct {
		name     string
		response Response
		want     string
	}{
		{"no credential", Response{}, `{"kind":"CredentialProviderResponse","apiVersion":"` + v1 +
			`","cacheKeyType":"Registry","cacheDuration":"0s","auth":null}` + "\n"},
		{"a credential", Response{
			Auth: map[string]Credential{"Contoso.azurecr.io": {"u", secret.New("p")}, "*.azurecr.io": {}}, CacheFor: time.Hour,
		}, `{"kind":"CredentialProviderResponse","apiVersion":"` + v1 +
			`","cacheKeyType":"Registry","cacheDuration":"1h0m0s","auth":{"*.azurecr.io":{"username":"","password":""},` +
			`"Contoso.azurecr.io":{"username":"u","password":"p"}}}` + "\n"},
	} {
		got, err := row.response.Encode(v1)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %s, %v, want %s", row.name, got, err, row.want)
		}
		if _, err := ReadResponse(got, v1); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestReadResponse(t *testing.T) {
	const right = `{"kind":"CredentialProviderResponse","apiVersion":"` + v1 + `","cacheKeyType":"Registry","auth":{"x":{"username":"u","password":"s3cret"}}}`
	for _, row := range []struct{ name, from, to, want string }{
		{"right", "", "", ""},
		{"another version", v1, v1 + "beta1", "its apiVersion is not that of the request"},
		{"another kind", "Response", "Request", "its kind is not"},
		{"another key type", "Registry", "registry", "its cacheKeyType"},
		{"an unknown field", `"auth"`, `"expires":1,"auth"`, "unknown field"},
		{"an unknown field of a credential", `"username"`, `"token":"s3cret","username"`, "unknown field"},
		{"a duration that is none", `"auth"`, `"cacheDuration":"soon","auth"`, "its cacheDuration"},
		{"text after it", `}}}`, `}}}x`, "after the JSON object"},
		{"nothing", right, "", "not a CredentialProviderResponse"},
	} {
		_, err := ReadResponse([]byte(strings.Replace(right, row.from, row.to, 1)), v1)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (row.want == "") || !strings.Contains(got, row.want) || strings.Contains(got, "s3cret") {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestRequest_Encode(t *testing.T) {
	encoded, err := Request{Version: v1, Image: "x/y", Token: secret.New("a.b.c")}.Encode()
	if err != nil || !json.Valid([]byte(encoded.Reveal())) {
		t.Fatal(encoded.Reveal(), err)
	}
	r, err := ReadRequest(strings.NewReader(encoded.Reveal()))
	if err != nil || r.Token.Reveal() != "a.b.c" {
		t.Error(r, err)
	}
}

func TestCacheFor(t *testing.T) {
	now := time.Unix(1e9, 0)
	for left, want := range map[time.Duration]time.Duration{
		3 * time.Hour: time.Hour, 90 * time.Minute: time.Hour, 40 * time.Minute: 10 * time.Minute,
		30 * time.Minute: 0, time.Minute: 0, -time.Hour: 0, 40*time.Minute + 500*time.Millisecond: 10 * time.Minute,
	} {
		if got := CacheFor(now.Add(left), now); got != want {
			t.Errorf("%v left: %v, want %v", left, got, want)
		}
	}
	if got := CacheFor(time.Time{}, now); got != time.Hour {
		t.Errorf("no end: %v", got)
	}
}

func TestAnonymousPattern(t *testing.T) {
	for registry, want := range map[string]string{
		"contoso.azurecr.io": "*.azurecr.io", "Contoso.AZURECR.io:443": "*.AZURECR.io:443",
		"contoso.westeurope.geo.azurecr.us": "*.westeurope.geo.azurecr.us",
	} {
		got := AnonymousPattern(registry)
		if got != want || !(Provider{MatchImages: []string{got}}).Matches(registry+"/app") {
			t.Errorf("%s: %s, want %s", registry, got, want)
		}
	}
}
