package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func TestNewCloud(t *testing.T) {
	for _, row := range []struct {
		name, authority string
		fine            bool
	}{
		{"*.azurecr.contoso.local", "https://login.contoso.local", true},
		{"*.azurecr.contoso.local", "login.contoso.local", true},
		{"*.azurecr.eaglex.ic.gov", "https://login.eaglex.ic.gov/", true},
		{"registry.contoso.com", "login.microsoftonline.com", true},
		{"contoso.azurecr.io", "login.contoso.com", false}, // built in
		{"*.azurecr.io", "login.contoso.com", false},
		{"*.io", "login.contoso.com", false},
		{"*.foo.azurecr.io", "login.contoso.com", false},
		{"azurecr.io.contoso.com", "login.contoso.com", false}, // a look-alike
		{"*.sovcloud-azure.fr", "login.contoso.com", false},    // would take Bleu's in
		{"*.local", "login.contoso.com", false},                // a suffix has two labels or more
		{"registry", "login.contoso.com", false},
		{"Registry.contoso.com", "login.contoso.com", false},
		{"*.*.contoso.com", "login.contoso.com", false},
		{"registry.contoso.com:5000", "login.contoso.com", false},
		{"10.0.0.1", "login.contoso.com", false},
		{"registry.contoso.com", "http://login.contoso.com", false},
		{"registry.contoso.com", "https://login.contoso.com:8443", false},
		{"registry.contoso.com", "https://user@login.contoso.com", false},
		{"registry.contoso.com", "https://login.contoso.com/adfs", false},
		{"registry.contoso.com", "https://login.contoso.com?x", false},
		{"registry.contoso.com", "", false},
	} {
		cloud, err := registry.NewCloud(row.name, row.authority, "", "")
		if (err == nil) != row.fine {
			t.Errorf("%s at %q: %+v, %v", row.name, row.authority, cloud, err)
		}
	}
}

func TestClouds_ParseHost(t *testing.T) {
	var clouds registry.Clouds
	for _, name := range []string{"*.azurecr.contoso.local", "registry.contoso.com", "vault.azurecr.contoso.local", "a.b.azurecr.contoso.local"} {
		authority := "login.contoso.com"
		if !strings.HasPrefix(name, "*") {
			authority = "login.of-its-own.example"
		}
		c, err := registry.NewCloud(name, authority, "AzureStack", "https://acr.contoso.local")
		if err != nil {
			t.Fatal(err)
		}
		clouds = append(clouds, c)
	}
	for _, row := range []struct{ server, host, global string }{
		{"app.azurecr.contoso.local", "app.azurecr.contoso.local", "app.azurecr.contoso.local"},
		{"https://APP.azurecr.contoso.local/v2/", "app.azurecr.contoso.local", "app.azurecr.contoso.local"},
		{"app.west.geo.azurecr.contoso.local", "app.west.geo.azurecr.contoso.local", "app.azurecr.contoso.local"},
		{"registry.contoso.com:443", "registry.contoso.com", "registry.contoso.com"},
		{"c.d.azurecr.contoso.local", "", ""},
		{"vault.azurecr.contoso.local", "vault.azurecr.contoso.local", "vault.azurecr.contoso.local"}, // a whole host below a suffix
		{"a.b.azurecr.contoso.local", "a.b.azurecr.contoso.local", "a.b.azurecr.contoso.local"},
		{"app.registry.contoso.com", "", ""}, // a whole host has no registries below it
		{"app.azurecr.contoso.local.evil.example", "", ""},
		{"azurecr.contoso.local", "", ""},
		{"contoso.azurecr.io", "contoso.azurecr.io", "contoso.azurecr.io"},
	} {
		host, err := clouds.ParseHost(row.server)
		if (err == nil) != (row.host != "") || err == nil && (host.String() != row.host || host.Global() != row.global) {
			t.Errorf("%s: %q, %v", row.server, host, err)
		}
		if whole := row.host == "registry.contoso.com" || row.host == "vault.azurecr.contoso.local" || row.host == "a.b.azurecr.contoso.local"; whole != (host.Cloud().Authority == "login.of-its-own.example") {
			t.Errorf("%s signs in at %s", row.server, host.Cloud().Authority)
		}
		if _, err := registry.ParseHost(row.server); err == nil && row.host != "contoso.azurecr.io" {
			t.Errorf("%s is an Azure registry without any configuration", row.server)
		}
	}
	for server, looksAlike := range map[string]bool{
		"app.azurecr.contoso.local:5000": true, "http://app.azurecr.contoso.local": true, "app.azurecr.contoso.local.": true,
		"app.azurecr.contoso.local.evil.example": true, "azurecr.contoso.local": true, "app.data.azurecr.contoso.local": true,
		"registry.contoso.com:5000": true, "registry.contoso.com.": true, "registry.contoso.com.evil.example": true,
		"http://registry.contoso.com": true, "app.registry.contoso.com": false, "other.contoso.com": false, "ghcr.io": false,
	} {
		if _, err := clouds.ParseHost(server); errors.Is(err, registry.ErrNotACR) == looksAlike {
			t.Errorf("%s: %v", server, err)
		}
	}
	if !clouds.IsPattern("*.azurecr.contoso.local") || !clouds.IsPattern("registry.contoso.com") || clouds.IsPattern("*.contoso.com") {
		t.Error("patterns don't know custom clouds")
	}
}
