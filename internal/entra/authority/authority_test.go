package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

const host = "login.microsoftonline.com"

// a transport that is a function
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func answer(status int, retryAfter, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {retryAfter}},
	}
}

func TestClient_Do(t *testing.T) {
	for _, row := range []struct {
		what, url string
		status    int
		body      string
		want      fault.Code
	}{
		{"a success", "https://" + host + "/t", 200, "{}", ""},
		{"a refusal", "https://" + host + "/t", 401, `{"error_codes":[7000215]}`, "AADSTS7000215"},
		{"a refusal without end", "https://" + host + "/t", 400, strings.Repeat(" ", maxAnswer+1), fault.TooLong},
		{"another host", "https://evil.example/t", 200, "{}", fault.UnexpectedHost},
	} {
		client := NewClient(transport(func(*http.Request) (*http.Response, error) {
			return answer(row.status, "", row.body), nil
		}), registry.Cloud{Authority: host}, slog.New(slog.DiscardHandler))
		req, err := http.NewRequest(http.MethodGet, row.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if fault.CodeOf(err) != row.want || (err == nil) != (row.want == "") || (resp == nil) != (err != nil) {
			t.Errorf("%s: %v", row.what, err)
		}
	}
}

// TestClient_Do_knows_the_endpoints proves that the OpenID document is requested only where what it says is not known, and
// that nothing else is made up.
func TestClient_Do_knows_the_endpoints(t *testing.T) {
	custom := registry.Cloud{Authority: "login.contoso.local"}
	standard := custom
	standard.StandardEndpoints = true
	for _, row := range []struct {
		what, url string
		cloud     registry.Cloud
		endpoint  string // "" where the request is sent
	}{
		{"built in", "https://" + host + "/t" + openIDPath, registry.Cloud{Authority: host}, "https://" + host + "/t/oauth2/v2.0/token"},
		{"an escaped tenant", "https://" + host + "/a%2Fb" + openIDPath, registry.Cloud{Authority: host}, "https://" + host + "/a%2Fb/oauth2/v2.0/token"},
		{"custom", "https://login.contoso.local/t" + openIDPath, custom, ""},
		{"custom, as usual", "https://login.contoso.local/t" + openIDPath, standard, "https://login.contoso.local/t/oauth2/v2.0/token"},
		{"another host", "https://evil.example/t" + openIDPath, registry.Cloud{Authority: host}, ""},
		{"another document", "https://" + host + "/t/v2.0/keys", registry.Cloud{Authority: host}, ""},
	} {
		sent := false
		client := NewClient(transport(func(*http.Request) (*http.Response, error) {
			sent = true
			return answer(200, "", `{}`), nil
		}), row.cloud, slog.New(slog.DiscardHandler))
		req, err := http.NewRequest(http.MethodGet, row.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			TokenEndpoint string `json:"token_endpoint"`
		}
		if resp, err := client.Do(req); err == nil {
			if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
				t.Fatal(err)
			}
		}
		if document.TokenEndpoint != row.endpoint || row.endpoint != "" && (sent || client.HasSent) {
			t.Errorf("%s: %q, sent %t", row.what, document.TokenEndpoint, sent)
		}
	}
}

func TestExplain(t *testing.T) {
	refused := Refusal{OAuth: "invalid_client", AADSTS: 7000215, Status: 401}.Fault()
	failed := &fault.Error{Code: fault.FederatedTokenExpired}
	outer := &fault.Error{Code: fault.FederatedTokenManaged, Cause: refused}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		ctx       context.Context
		err, want error // a nil want leaves the code to decide
		code      fault.Code
	}{
		{t.Context(), fmt.Errorf("server response error: %w", refused), refused, "AADSTS7000215"},
		{t.Context(), fmt.Errorf("callback: %w", failed), failed, fault.FederatedTokenExpired},
		{t.Context(), fmt.Errorf("callback: %w", outer), outer, fault.FederatedTokenManaged},
		{canceled, fmt.Errorf("server response error: %w", refused), refused, "AADSTS7000215"},
		{canceled, errors.New("SECRET"), nil, fault.Timeout},
		{t.Context(), errors.New("SECRET"), nil, fault.NotJSON},
	} {
		got := Explain(row.ctx, host, row.err)
		if row.want != nil && got != row.want || fault.CodeOf(got) != row.code || strings.Contains(got.Error(), "SECRET") {
			t.Errorf("%v: %#v", row.err, got)
		}
	}
}

func TestRefusal_Fault(t *testing.T) {
	for _, row := range []struct {
		oauth          string
		number, status int
		code           fault.Code
		oauthIsKept    bool
		sentence       string // "" for the meaning of the code, which package fault tests
	}{
		{"invalid_client", 7000215, 401, "AADSTS7000215", true, ""},
		{"invalid_grant", 99999, 400, "AADSTS99999", true, "Microsoft Entra ID refused the sign-in: invalid_grant (AADSTS99999)"},
		{"", 99999, 400, "AADSTS99999", true, ""},
		{"temporarily_unavailable", 90033, 503, "AADSTS90033", true, ""}, // the number says more than the status
		{"", 50196, 429, "AADSTS50196", true, ""},
		{"slow_down", 0, 429, fault.EntraThrottled, true, ""},
		{"server_error", 0, 500, fault.EntraUnavailable, true, ""},
		{"", 0, 503, fault.EntraUnavailable, true, ""},
		{"invalid_request", 0, 400, fault.EntraOther, true, "Microsoft Entra ID refused the sign-in: invalid_request (HTTP 400)"},
		{"access_denied", 0, 0, fault.EntraOther, true, "Microsoft Entra ID refused the sign-in: access_denied"}, // by a browser
		{"", 0, 0, fault.EntraOther, true, ""},

		{"<script>", 0, 0, fault.EntraOther, false, "Microsoft Entra ID refused the sign-in"},
		{"invalid client", 0, 0, fault.EntraOther, false, "Microsoft Entra ID refused the sign-in"},
		{"invalid_client\n", 0, 0, fault.EntraOther, false, "Microsoft Entra ID refused the sign-in"},
		{"Invalid_Client", 0, 0, fault.EntraOther, false, "Microsoft Entra ID refused the sign-in"},
		{strings.Repeat("a", 41), 0, 0, fault.EntraOther, false, "Microsoft Entra ID refused the sign-in"},
	} {
		got := Refusal{OAuth: row.oauth, AADSTS: row.number, Status: row.status}.Fault()
		refused, _ := errors.AsType[Refusal](got)
		if got.Code != row.code || refused.AADSTS != row.number || got.Status != row.status {
			t.Errorf("%q, %d, %d: %+v", row.oauth, row.number, row.status, got)
		}
		if row.oauthIsKept != (refused.OAuth == row.oauth) || !row.oauthIsKept && refused.OAuth != "" {
			t.Errorf("%q, %d, %d: OAuth %q", row.oauth, row.number, row.status, refused.OAuth)
		}
		if row.sentence == "" && !strings.HasPrefix(got.Error(), row.code.Meaning()) ||
			row.sentence != "" && got.Error() != row.sentence {
			t.Errorf("%q, %d, %d: %s", row.oauth, row.number, row.status, got)
		}
	}
}

func TestParseRefusal(t *testing.T) {
	const id = "c0ffee00-1234-4000-8000-00000000abcd"
	for _, row := range []struct {
		status           int
		retryAfter, body string
		code             fault.Code
		want             Refusal // OAuth and Claims only
		correlationID    string
		wait             time.Duration
	}{
		{
			401, "", `{"error":"invalid_client","error_codes":[7000222,1],"error_description":"AADSTS7000215: SECRET"}`,
			"AADSTS7000222",
			Refusal{OAuth: "invalid_client"},
			"", 0,
		},
		{400, "", `{"error_description":"SECRET AADSTS700016: SECRET"}`, "AADSTS700016", Refusal{}, "", 0},
		{400, "", `{"error_description":"AADSTS123: SECRET"}`, fault.EntraOther, Refusal{}, "", 0},
		{400, "", `{"error":"authorization_pending"}`, fault.EntraOther, Refusal{OAuth: "authorization_pending"}, "", 0},
		{400, "", `{"error":"<SECRET>"}`, fault.EntraOther, Refusal{}, "", 0},
		{400, "60", `<html>SECRET AADSTS7000215`, fault.EntraOther, Refusal{}, "", 0},
		{429, "60", `<html>SECRET`, fault.EntraThrottled, Refusal{}, "", time.Minute},
		{429, "60", `{"error_codes":[50196]}`, "AADSTS50196", Refusal{}, "", time.Minute},
		{429, "SECRET", ``, fault.EntraThrottled, Refusal{}, "", 0},
		{500, "60", ``, fault.EntraUnavailable, Refusal{}, "", 0},
		{503, "5", `null`, fault.EntraUnavailable, Refusal{}, "", 5 * time.Second},
		{
			400, "", `{"error":"interaction_required","error_codes":[50076],"claims":"{\"access_token\":{}}"}`,
			"AADSTS50076",
			Refusal{OAuth: "interaction_required", Claims: `{"access_token":{}}`},
			"", 0,
		},
		{400, "", `{"error_codes":[50076],"claims":"SECRET"}`, "AADSTS50076", Refusal{}, "", 0},
		{401, "", `{"error_codes":[7000215],"correlation_id":"` + id + `"}`, "AADSTS7000215", Refusal{}, id, 0},
		{400, "", `{"correlation_id":"` + id + `SECRET"}`, fault.EntraOther, Refusal{}, "", 0},
		{400, "", `{"correlation_id":"` + id[:35] + `\n"}`, fault.EntraOther, Refusal{}, "", 0},
		{400, "", `{"correlation_id":"c0ffee0"}`, fault.EntraOther, Refusal{}, "", 0},
		{400, "", `{"correlation_id":"` + id + `0"}`, fault.EntraOther, Refusal{}, "", 0},
	} {
		got := parseRefusal(answer(row.status, row.retryAfter, ""), []byte(row.body))
		refused, _ := errors.AsType[Refusal](got)
		if got.Code != row.code || refused.OAuth != row.want.OAuth || refused.Claims != row.want.Claims {
			t.Errorf("%d %s: %+v", row.status, row.body, got)
		}
		if got.CorrelationID != row.correlationID || got.RetryAfter != row.wait {
			t.Errorf("%d %s: %+v", row.status, row.body, got)
		}
		if strings.Contains(got.Error(), "SECRET") {
			t.Errorf("%d %s: the error quotes it: %s", row.status, row.body, got)
		}
	}
}
