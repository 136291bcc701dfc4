package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

func TestNew_takes_the_hint_from_the_table(t *testing.T) {
	if f := Fail(fault.NoHome, "no %s", "home"); f != (Finding{Failed, fault.NoHome, "no home", "Set HOME"}) {
		t.Errorf("%+v", f)
	}
	if f := Skip("x"); f != (Finding{Skipped, fault.Skipped, "x", ""}) {
		t.Errorf("%+v", f)
	}
}

func TestReport_Add(t *testing.T) {
	var out bytes.Buffer
	home := filepath.FromSlash("/home/ada")
	r := Report{Home: home, Print: func(s string) error { out.WriteString(s); return nil }}
	f := Warn(fault.NoIdentity, "see %s", filepath.Join(home, "x")+"\x1b[31m")
	r.Add(Result{Check: "identity", Registry: "contoso.azurecr.io", Finding: f})
	r.Add(Result{Check: "identity", Registry: "contoso.azurecr.io", Finding: f})
	r.Add(Result{Check: "clients", Finding: Fail(fault.AnonymousRefused, "y")})
	if r.Warned != 2 || r.Failed != 1 || len(r.Checks) != 3 {
		t.Errorf("%+v", r)
	}
	for text, count := range map[string]int{
		"warn  identity     contoso.azurecr.io: see " + filepath.Join("~", "x") + "?[31m  ": 2,
		"                   Run: docker-credential-acr login contoso.azurecr.io (or":        1, // the same hint is printed once
		"fail  clients      y  ": 1,
		"                   Run: docker-credential-acr login REGISTRY (or": 1, // it is about no registry
	} {
		if strings.Count(out.String(), text) != count {
			t.Errorf("%q is not printed %d times:\n%s", text, count, &out)
		}
	}
}
