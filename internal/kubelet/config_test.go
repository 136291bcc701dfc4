package kubelet

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestParseConfig has mistakes that keep kubelet from starting. test/kubelet holds the same table against kubelet itself.
func TestParseConfig(t *testing.T) {
	right, err := os.ReadFile("testdata/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("testdata/mistakes.json")
	if err != nil {
		t.Fatal(err)
	}
	var mistakes []struct{ From, To, Want string }
	if err := json.Unmarshal(content, &mistakes); err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		_, err := ParseConfig([]byte(strings.Replace(string(right), m.From, m.To, 1)))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (m.Want == "") || !strings.Contains(got, m.Want) {
			t.Errorf("%s -> %s: %q, want %q", m.From, m.To, got, m.Want)
		}
	}
}

func TestNewConfig_is_valid(t *testing.T) {
	required := false
	encoded, err := NewConfig(Provider{Name: "x", TokenAttributes: &TokenAttributes{
		Audience: "a", CacheType: "ServiceAccount", Require: &required,
	}}, []string{"*.azurecr.io"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ParseConfig(encoded); err != nil || len(c.Providers) != 1 {
		t.Errorf("%s: %v", encoded, err)
	}
}

func TestProvider_Matches(t *testing.T) {
	for _, row := range []struct {
		pattern, image string
		want           bool
	}{
		{"*.azurecr.io", "contoso.azurecr.io/app", true},
		{"*.azurecr.io", "contoso.westeurope.geo.azurecr.io/app", false},
		{"*.*.geo.azurecr.io", "contoso.westeurope.geo.azurecr.io/app", true},
		{"*.azurecr.io", "Contoso.azurecr.io/app", true},
		{"contoso.azurecr.io", "Contoso.azurecr.io/app", false},
		{"*.azurecr.io", "contoso.azurecr.io:443/app", false},
		{"*.azurecr.io:443", "contoso.azurecr.io:443/app", true},
		{"contoso.azurecr.io/app", "contoso.azurecr.io/app2", true},
		{"contoso.azurecr.io/app", "contoso.azurecr.io/other", false},
		{"*.azurecr.*", "contoso.azurecr.cn/app", true},
		{"*.azurecr.io", "contoso.azurecr.io.evil.example/app", false},
	} {
		if got := (Provider{MatchImages: []string{row.pattern}}).Matches(row.image); got != row.want {
			t.Errorf("%s matches %s: %v", row.pattern, row.image, got)
		}
	}
}
