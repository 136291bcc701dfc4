package azuretest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// The real client library must be content with this cloud: nothing else proves
// that the documents and answers have the right form.
func TestMSAL(t *testing.T) {
	tests := []struct {
		name      string
		discovery bool
		authority string
		asked     []string
	}{
		{"discovery on", true, DefaultAuthority, []string{KindDiscovery, KindOpenID, KindEntraToken}},
		{"discovery off", false, DefaultAuthority, []string{KindOpenID, KindEntraToken}},
		{"china", true, "login.partner.microsoftonline.cn", []string{KindDiscovery, KindOpenID, KindEntraToken}},
		{"an alias", false, "login.windows.net", []string{KindOpenID, KindEntraToken}},
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
			var asked []string
			for _, r := range c.Requests() {
				asked = append(asked, r.Kind)
			}
			if strings.Join(asked, " ") != strings.Join(tt.asked, " ") {
				t.Errorf("asked %v, want %v", asked, tt.asked)
			}
			if len(c.ForeignHosts()) > 0 {
				t.Errorf("foreign hosts: %v", c.ForeignHosts())
			}
		})
	}
}

func TestMSALRefused(t *testing.T) {
	w := newWorld(t)
	_, err := msalToken(t, w.Cloud, DefaultAuthority, w.app, "wrong", false)
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("wrong secret: %v", err)
	}
	w.Fault(DefaultAuthority, "/*", w.AADSTS(53003))
	_, err = msalToken(t, w.Cloud, DefaultAuthority, w.app, "planted-secret", false)
	if err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("Conditional Access: %v", err)
	}
}

func msalToken(t *testing.T, c *Cloud, authority string, app *ServicePrincipal, secret string, discovery bool) (confidential.AuthResult, error) {
	t.Helper()
	cred, err := confidential.NewCredFromSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	client, err := confidential.New("https://"+authority+"/"+app.Tenant().ID(), app.ClientID(), cred,
		confidential.WithHTTPClient(&http.Client{Transport: c.Transport()}), confidential.WithInstanceDiscovery(discovery))
	if err != nil {
		t.Fatal(err)
	}
	return client.AcquireTokenByCredential(t.Context(), []string{acrScope})
}
