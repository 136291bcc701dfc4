package doctor

import (
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
)

func TestSession_parse(t *testing.T) {
	for typed, repository := range map[string]string{
		"contoso.azurecr.io": "", "https://contoso.azurecr.io/v2/": "", "contoso.azurecr.io/app": "app",
		"contoso.azurecr.io:443/Team/app:1.2-rc_3": "team/app", "contoso.azurecr.io/app:1@sha256:0123": "app",
		"contoso.azurecr.io/app@sha256:0123": "app",
	} {
		s := &session{}
		if err := s.parse(typed); err != nil || s.host.String() != "contoso.azurecr.io" || s.repository != repository {
			t.Errorf("%s: %s, %q, %v", typed, s.host, s.repository, err)
		}
	}
	for _, typed := range []string{"ghcr.io/app", "contoso.azurecr.io@evil.example", "contoso.azurecr.io/a!b", ""} {
		if err := (&session{}).parse(typed); !cmdutil.IsUsage(err) {
			t.Errorf("%s: %v", typed, err)
		}
	}
}
