package azuretest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// MSAL proves that documents and responses have the right form.
func TestCloud_with_MSAL(t *testing.T) {
	tests := []struct {
		name      string
		discovery bool
		authority string
		requests  []string
	}{
		{"with instance discovery", true, DefaultAuthority, []string{KindDiscovery, KindOpenID, KindEntraToken}},
		{"without instance discovery", false, DefaultAuthority, []string{KindOpenID, KindEntraToken}},
		{"china", true, "login.partner.microsoftonline.cn", []string{KindDiscovery, KindOpenID, KindEntraToken}},
		{"alias", false, "login.windows.net", []string{KindOpenID, KindEntraToken}},
		{"bleu", false, "login.sovcloud-identity.fr", []string{KindOpenID, KindEntraToken}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Start(t)
			tenant := c.AddTenantAt(tt.authority, "")
			app := tenant.AddServicePrincipal("", "planted-secret")
			result, err := msalToken(t, c, tt.authority, app, "planted-secret", tt.discovery)
			if err != nil {
				t.Fatal(err)
			}
			if _, claims, err := tenant.principal(result.AccessToken); err != nil || claims.Aud != acrResource {
				t.Errorf("token: %v %+v", err, claims)
			}
			var requests []string
			for _, r := range c.Requests() {
				requests = append(requests, r.Kind)
			}
			if !slices.Equal(requests, tt.requests) {
				t.Errorf("requests %v, want %v", requests, tt.requests)
			}
			if len(c.ForeignHosts()) > 0 {
				t.Errorf("foreign hosts: %v", c.ForeignHosts())
			}
		})
	}
}

func TestCloud_with_MSAL_refused(t *testing.T) {
	f := newFixture(t)
	_, err := msalToken(t, f.Cloud, DefaultAuthority, f.app, "wrong", false)
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("wrong secret: %v", err)
	}
	f.Fault(DefaultAuthority, "/*", f.AADSTS(53003))
	_, err = msalToken(t, f.Cloud, DefaultAuthority, f.app, "planted-secret", false)
	if err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("Conditional Access: %v", err)
	}
}

func msalToken(
	t *testing.T, c *Cloud, authority string, app *ServicePrincipal, secret string, discovery bool,
) (confidential.AuthResult, error) {
	t.Helper()
	cred, err := confidential.NewCredFromSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	client, err := confidential.New("https://"+authority+"/"+app.Tenant().ID(), app.ClientID(), cred,
		confidential.WithHTTPClient(&http.Client{Transport: c.Transport()}),
		confidential.WithInstanceDiscovery(discovery))
	if err != nil {
		t.Fatal(err)
	}
	return client.AcquireTokenByCredential(t.Context(), []string{acrScope})
}
