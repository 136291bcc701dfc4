package doctor

import "testing"

func examOf(t *testing.T, image string) *exam {
	t.Helper()
	e := &exam{asked: true}
	if err := e.read([]string{image}); err != nil {
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
	for _, typed := range []string{"ghcr.io/app", "contoso.azurecr.io@evil.example", "contoso.azurecr.io/a!b", ""} {
		if err := (&exam{asked: true}).read([]string{typed}); err == nil {
			t.Errorf("%s is taken", typed)
		}
	}
}
