package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	kubernetes "sigs.k8s.io/yaml"
)

func checkShell(f fence) error { return parseShell(f.text) }

// parseShell has bash parse a script; nothing of it is run.
func parseShell(script string) error {
	cmd := exec.Command("bash", "-n")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		return fmt.Errorf("bash -n: %s", out)
	}
	return nil
}

// checkJSON is strict, which encoding/json isn't about keys that come twice.
func checkJSON(f fence) error {
	if !json.Valid([]byte(f.text)) {
		return errors.New("not JSON")
	}
	var any map[string]any
	if err := kubernetes.UnmarshalStrict([]byte(f.text), &any); err != nil {
		return err
	}
	if strings.HasPrefix(f.file, "credential-") {
		return checkCredential(f)
	}
	return nil
}

// checkCredential knows the properties of Microsoft Graph's resource type
// federatedIdentityCredential, all of which a recipe must set.
func checkCredential(f fence) error {
	var credential struct {
		Name, Issuer, Subject string
		Audiences             []string
	}
	decoder := json.NewDecoder(strings.NewReader(f.text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&credential); err != nil {
		return err
	}
	if credential.Name == "" || !strings.HasPrefix(credential.Issuer, "https://") || credential.Subject == "" || len(credential.Audiences) != 1 {
		return fmt.Errorf("incomplete: %+v", credential)
	}
	return nil
}

func checkTOML(f fence) error {
	var any map[string]any
	_, err := toml.Decode(f.text, &any)
	return err
}

// checkGo takes a fragment: imports, then statements.
func checkGo(f fence) error {
	lines := strings.Split(f.text, "\n")
	imports := 0
	for imports < len(lines) && (strings.HasPrefix(lines[imports], "import ") || lines[imports] == "") {
		imports++
	}
	source := "package p\n" + strings.Join(lines[:imports], "\n") + "\nfunc _() {\n" + strings.Join(lines[imports:], "\n") + "}\n"
	_, err := parser.ParseFile(token.NewFileSet(), "", source, parser.AllErrors)
	return err
}

// checkDockerfile uses BuildKit's own parser; the linter sees nothing that it
// would report here, but the parser demands one.
func checkDockerfile(f fence) error {
	parsed, err := dockerfile.Parse(strings.NewReader(f.text))
	if err != nil {
		return err
	}
	_, _, err = instructions.Parse(parsed.AST, linter.New(&linter.Config{SkipAll: true}))
	return err
}

// checkJenkinsfile does not know which steps there are: that depends on Jenkins'
// plugins.
func checkJenkinsfile(f fence) error {
	file, err := os.CreateTemp(bin, "Jenkinsfile")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(f.text); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if out, err := exec.Command("groovy", "testdata/declarative.groovy", file.Name()).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// checkYAML parses every document with the shell scripts in it, and goes on by
// what the file is.
func checkYAML(f fence) error {
	decoder := yaml.NewDecoder(strings.NewReader(f.text))
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := checkScripts(document); err != nil {
			return err
		}
		if err := checkDocument(f, document); err != nil {
			return err
		}
	}
}

func checkDocument(f fence, document map[string]any) error {
	switch {
	case strings.HasPrefix(f.file, ".github/workflows/"):
		return checkWorkflow(f)
	case f.file == "azure-pipelines.yml":
		return checkPipeline(document)
	case f.file == ".gitlab-ci.yml":
		return checkGitLab(document)
	case document["apiVersion"] != nil:
		return checkManifest(document)
	}
	return nil
}

// checkScripts looks for the keys that hold shell in the three CIs.
func checkScripts(node any) error {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			if err := checkScripts(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, value := range node {
			err := checkScripts(value)
			switch key {
			case "run", "script", "before_script", "after_script", "inlineScript", "bash":
				err = errors.Join(err, checkScript(value))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func checkScript(value any) error {
	switch value := value.(type) {
	case string:
		return parseShell(value)
	case []any:
		for _, line := range value {
			if err := checkScript(line); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("a script is text, not %v", value)
}

func checkWorkflow(f fence) error {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		return err
	}
	found, err := linter.Lint(f.file, []byte(f.text), nil)
	for _, e := range found {
		err = errors.Join(err, e)
	}
	return err
}

// checkManifest decodes strictly into Kubernetes' own types.
func checkManifest(document map[string]any) error {
	kinds := map[string]any{
		"v1/ServiceAccount": &corev1.ServiceAccount{},
		"batch/v1/Job":      &batchv1.Job{},
	}
	kind := fmt.Sprint(document["apiVersion"], "/", document["kind"])
	object := kinds[kind]
	if object == nil {
		return fmt.Errorf("no type for %s", kind)
	}
	content, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	return kubernetes.UnmarshalStrict(bytes.TrimSpace(content), object)
}
