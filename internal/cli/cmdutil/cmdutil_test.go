package cmdutil

import (
	"runtime"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func TestEnv_Screen(t *testing.T) {
	columns := func(n int) func() int { return func() int { return n } }
	for name, test := range map[string]struct {
		env  app.Env
		want screen.Screen
	}{
		"pipe":          {app.Env{Columns: columns(99), Environ: []string{"TERM=xterm"}}, screen.Screen{}},
		"terminal":      {app.Env{StdoutIsTerminal: true, Columns: columns(99)}, screen.Screen{Width: 99, Color: true}},
		"no width":      {app.Env{StdoutIsTerminal: true}, screen.Screen{Width: 80, Color: true}},
		"narrow":        {app.Env{StdoutIsTerminal: true, Columns: columns(5)}, screen.Screen{Width: 40, Color: true}},
		"unknown width": {app.Env{StdoutIsTerminal: true, Columns: columns(0)}, screen.Screen{Width: 80, Color: true}},
		"NO_COLOR": {
			app.Env{StdoutIsTerminal: true, Environ: []string{"NO_COLOR=1"}}, screen.Screen{Width: 80},
		},
		"empty NO_COLOR": {
			app.Env{StdoutIsTerminal: true, Environ: []string{"NO_COLOR="}}, screen.Screen{Width: 80, Color: true},
		},
		"TERM=dumb": {app.Env{StdoutIsTerminal: true, Environ: []string{"TERM=dumb"}}, screen.Screen{Width: 80}},
	} {
		if runtime.GOOS == "windows" {
			test.env.Environ = append(test.env.Environ, "WT_SESSION=1")
		}
		if got := (Env{Env: test.env}).Screen(); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestParseTarget_suggests_the_domain(t *testing.T) {
	const neither = " is not an Azure container registry or pattern (for example contoso.azurecr.io or '*.azurecr.io')"
	for typed, want := range map[string]string{
		"contoso":  `unknown registry "contoso"; did you mean contoso.azurecr.io?`,
		"ghcr.io":  `"ghcr.io"` + neither,
		"":         `""` + neither,
		"con toso": `"con toso"` + neither,
	} {
		if _, _, err := ParseTarget(registry.Clouds{}, typed); !IsUsage(err) || err.Error() != want {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

// Secrets come from files of all kinds of tools.
func TestToSecret(t *testing.T) {
	for content, want := range map[string]string{
		"s3cret":               "s3cret",
		"s3cret\r\n":           "s3cret",
		"\xef\xbb\xbfs3cret\n": "s3cret",
		" s3cret ":             " s3cret ", // a password may have spaces
		"\xff\xfes\x003\x00":   "?can't read the client secret: it is UTF-16 text; save it as UTF-8",
		"s\x003\x00":           "?can't read the client secret: it is UTF-16 text; save it as UTF-8",
		"\xef\xbb\xbf\r\n":     "?the client secret is empty",
		"a\nb":                 "?the client secret has more than one line",
		"\xff":                 "?the client secret is not UTF-8 text",
	} {
		got, err := toSecret("client secret", []byte(content), nil)
		shown := got.Reveal()
		if err != nil {
			shown = "?" + err.Error()
		}
		if shown != want {
			t.Errorf("%q: %q, want %q", content, shown, want)
		}
	}
}
