package managedidentity

import (
	"fmt"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func TestSecondsFor(t *testing.T) {
	const rewritten = `{"access_token":"x","expires_on":"1795879055"}`
	for _, date := range []string{
		"11/28/2026 15:17:35 +00:00", // Windows
		"11/28/2026 3:17:35 PM +00:00",
		"11/28/2026 15:17:35 PM +00:00", // a mistake of an old version
		"11/28/2026 15:17:35",
		"11/28/2026 3:17:35 PM",
		"11/28/2026 03:17:35 PM +00:00",
		"11/28/2026 16:17:35 +01:00",
		"2026-11-28 15:17:35 +00:00",
		"2026-11-28 15:17:35",
		"2026-11-28T15:17:35Z",
		"2026-11-28T15:17:35+00:00",
		"2026-11-28T15:17:35.1234567+00:00",
		"2026-11-28T15:17:35",
		"Sat, 28 Nov 2026 15:17:35 GMT",
		" 11/28/2026 15:17:35 +00:00 ",
	} {
		if got := secondsFor([]byte(`{"access_token":"x","expires_on":"` + date + `"}`)); string(got) != rewritten {
			t.Errorf("%s: %s", date, got)
		}
	}
	for date, want := range map[string]string{
		"1/2/2027 3:04:05 AM +00:00": "1798859045", "01/02/2027 03:04:05 +00:00": "1798859045",
	} {
		got := secondsFor([]byte(`{"expires_on":"` + date + `"}`))
		if string(got) != `{"expires_on":"`+want+`"}` {
			t.Errorf("%s: %s", date, got)
		}
	}
	for _, same := range []string{
		`{"access_token":"x","expires_on":"1795879055"}`, `{"access_token":"x","expires_on":1795879055}`,
		`{"expires_on":"28/11/2026 15:17:35 +00:00"}`, // in some languages
		`{"expires_on":"tomorrow"}`, `{"expires_on":null}`, `{}`, `[]`, `<html>`, ``,
	} {
		if got := secondsFor([]byte(same)); string(got) != same {
			t.Errorf("%s became %s", same, got)
		}
	}
}

// Each endpoint may be an old one.
func TestClient_AccessToken_reads_dates_in_words(t *testing.T) {
	for i, endpoint := range []identity.Endpoint{identity.MachineLearn, identity.AppService, identity.IMDS, identity.CloudShell} {
		f := newFixture(t, endpoint)
		end := time.Now().Add(3*time.Hour + time.Duration(i)*time.Minute).UTC().Truncate(time.Second)
		id := identity.Identity{Endpoint: endpoint}
		f.Fault("", "", azuretest.Fault{
			Status: 200, Body: `{"access_token":"x","token_type":"Bearer","expires_on":"` + end.Format("01/02/2006 15:04:05 -07:00") + `"}`,
		})
		token, err := f.client().AccessToken(t.Context(), id, fmt.Sprintf("https://dates%d.example", i))
		if err != nil || !token.Expires.Equal(end) {
			t.Errorf("%s: %v, %v; want %v", endpoint, token.Expires, err, end)
		}
	}
}
