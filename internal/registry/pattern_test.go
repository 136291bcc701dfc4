package registry_test

import (
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func TestPatterns(t *testing.T) {
	for _, row := range []struct {
		pattern, host string
		matches       bool
	}{
		{"contoso.azurecr.io", "contoso.azurecr.io", true},
		{"contoso.azurecr.io", "contoso.westeurope.geo.azurecr.io", false},
		{"*.azurecr.io", "contoso.azurecr.io", true},
		{"*.azurecr.io", "contoso-a1b2.azurecr.io", true},
		{"*.azurecr.io", "contoso.westeurope.geo.azurecr.io", true},
		{"*.azurecr.io", "contoso.azurecr.cn", false},
		{"contoso*.azurecr.io", "contoso.azurecr.io", true},
		{"contoso*.azurecr.io", "contoso-a1b2.azurecr.io", true},
		{"contoso*.azurecr.io", "contosi.azurecr.io", false},
		{"contoso.*.geo.azurecr.io", "contoso.westeurope.geo.azurecr.io", true},
		{"contoso.*.geo.azurecr.io", "contoso.azurecr.io", false},
		{"c*s*.azurecr.io", "contoso.azurecr.io", true},
		{"c*x*.azurecr.io", "contoso.azurecr.io", false},
	} {
		host, err := registry.ParseHost(row.host)
		if err != nil {
			t.Fatal(err)
		}
		if matches := registry.Matches(row.pattern, host); matches != row.matches || !registry.Clouds(nil).IsPattern(row.pattern) {
			t.Errorf("%s matches %s: %v", row.pattern, row.host, matches)
		}
	}
}

// TestPatternsOfManyStars would take for ever if matching tried everything.
func TestPatternsOfManyStars(t *testing.T) {
	host, err := registry.ParseHost(strings.Repeat("a", 50) + ".azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	if pattern := strings.Repeat("*a", 20) + "b.azurecr.io"; registry.Matches(pattern, host) {
		t.Errorf("%s matches %s", pattern, host)
	}
}

func TestWhatIsNoPattern(t *testing.T) {
	for _, pattern := range []string{"", "*", "*.io", "azurecr.io", ".azurecr.io", "ghcr.io", "Contoso.azurecr.io", "a.b.azurecr.io", "c[o].azurecr.io", "c?.azurecr.io*", "https://contoso.azurecr.io", "contoso.azurecr.io/app"} {
		if registry.Clouds(nil).IsPattern(pattern) {
			t.Errorf("%q is taken for a pattern", pattern)
		}
	}
}

func TestMoreSpecific(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"contoso.azurecr.io", "contos*.azurecr.io", 1},
		{"*.azurecr.io", "c*.azurecr.io", -1},
		{"c*.azurecr.io", "*o.azurecr.io", 0},
		{"c*o.azurecr.io", "co*.azurecr.io", 0},
	} {
		if got := registry.MoreSpecific(row.a, row.b); got != row.want {
			t.Errorf("%s against %s: %d", row.a, row.b, got)
		}
	}
}
