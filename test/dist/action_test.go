package dist

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// TestInstallScript runs the script of action.yml as CI systems do, against files in place of a release's address.
func TestInstallScript(t *testing.T) {
	requireTools(t, "bash", "curl")
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the releases of these tests have no archive for this system")
	}
	r := made(t).first
	script, err := filepath.Abs("../../.github/action/install.sh")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			for name, value := range map[string]string{
				"HOME": home, "DIST": r.dist(""), "INSTALL": script, "RELEASES": "file://" + env.WorkDir + "/releases",
				"RUNNER_TEMP": env.WorkDir, "VERSION": "v" + version, "REGISTRIES": "", "TAG": "v" + version,
				"ARCHIVE": program + "_" + version + "_linux_amd64.tar.gz",
			} {
				env.Setenv(name, value)
			}
			return os.MkdirAll(home, 0o700)
		},
	})
}

// A step is one of a composite action, or of a template of Azure Pipelines.
type step struct {
	Uses, Run, Shell string
	Inputs           struct{ Script string }
	Env              map[string]string
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile("../../" + path)
	if err == nil {
		err = yaml.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatal(path, err)
	}
}

// TestAction checks that action.yml and the template of Azure Pipelines run the script that is tested, with the
// variables that it needs.
func TestAction(t *testing.T) {
	script, err := os.ReadFile("../../.github/action/install.sh")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]any
		Runs   struct {
			Using string
			Steps []step
		}
	}
	decode(t, "action.yml", &action)
	var template struct {
		Parameters []struct{ Name string }
		Steps      []step
	}
	decode(t, ".github/azure-pipelines/install.yml", &template)
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 1 || len(template.Steps) != 1 {
		t.Fatal(action, template)
	}
	if got := action.Runs.Steps[0].Run; got != `bash "$GITHUB_ACTION_PATH/.github/action/install.sh"` {
		t.Errorf("action.yml runs %q", got)
	}
	if got := template.Steps[0].Inputs.Script; got != string(script) {
		t.Error(".github/azure-pipelines/install.yml has another script than .github/action/install.sh: copy it")
	}
	for _, env := range []map[string]string{action.Runs.Steps[0].Env, template.Steps[0].Env} {
		for _, name := range []string{"VERSION", "REGISTRIES", "RELEASES"} {
			if env[name] == "" {
				t.Errorf("%s is not set in %q", name, env)
			}
		}
		if env["RELEASES"] != "https://"+module+"/releases" {
			t.Errorf("archives come from %q", env["RELEASES"])
		}
	}
	for _, p := range template.Parameters {
		if _, exists := action.Inputs[p.Name]; !exists {
			t.Errorf("only the template has the parameter %s", p.Name)
		}
	}
}

// TestWorkflows_pin_actions checks that each action is named by a commit, which its owner can't change, with its
// version for people and Dependabot.
func TestWorkflows_pin_actions(t *testing.T) {
	workflows, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(workflows) < 3 {
		t.Fatal(workflows, err)
	}
	uses := regexp.MustCompile(`(?m)^\s*-? *uses: (.*)$`)
	pinned := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	versions := map[string]string{}
	for _, w := range workflows {
		content, err := os.ReadFile(w)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), "\npermissions: {}\n") {
			t.Errorf("%s has default permissions: add permissions: {}", w)
		}
		for _, m := range uses.FindAllStringSubmatch(string(content), -1) {
			if m[1] != "./" && !pinned.MatchString(m[1]) {
				t.Errorf("%s: %q is not pinned by a commit", w, m[1])
			}
			name, _, _ := strings.Cut(m[1], "@")
			if before := versions[name]; before != "" && before != m[1] {
				t.Errorf("%s uses %s, another workflow %s", w, m[1], before)
			}
			versions[name] = m[1]
		}
	}
	if len(versions) < 3 {
		t.Errorf("found only %q", versions)
	}
}
