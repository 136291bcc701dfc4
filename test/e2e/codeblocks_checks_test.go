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
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	kubeletconfigv1 "k8s.io/kubelet/config/v1"
	kubernetes "sigs.k8s.io/yaml"
)

func checkShell(b codeBlock) error { return parseShell(b.text) }

// parseShell has bash parse a script without running it.
func parseShell(script string) error {
	cmd := exec.Command("bash", "-n")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		return fmt.Errorf("bash -n: %s", out)
	}
	return nil
}

// checkJSON rejects duplicate keys, too, which encoding/json accepts.
func checkJSON(b codeBlock) error {
	if !json.Valid([]byte(b.text)) {
		return errors.New("not JSON")
	}
	var any map[string]any
	if err := kubernetes.UnmarshalStrict([]byte(b.text), &any); err != nil {
		return err
	}
	if strings.HasPrefix(b.file, "credential-") {
		return checkCredential(b)
	}
	return nil
}

// checkCredential checks a federatedIdentityCredential of Microsoft Graph; recipes set all its properties.
func checkCredential(b codeBlock) error {
	var c struct {
		Name, Issuer, Subject string
		Audiences             []string
	}
	decoder := json.NewDecoder(strings.NewReader(b.text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return err
	}
	if c.Name == "" || !strings.HasPrefix(c.Issuer, "https://") || c.Subject == "" || len(c.Audiences) != 1 {
		return fmt.Errorf("incomplete: %+v", c)
	}
	return nil
}

func checkTOML(b codeBlock) error {
	var any map[string]any
	_, err := toml.Decode(b.text, &any)
	return err
}

// checkGo checks a fragment: imports, then statements or declarations.
func checkGo(b codeBlock) error {
	lines := strings.Split(b.text, "\n")
	imports := 0
	for imports < len(lines) && (strings.HasPrefix(lines[imports], "import ") || lines[imports] == "") {
		imports++
	}
	head, rest := "package p\n"+strings.Join(lines[:imports], "\n")+"\n", strings.Join(lines[imports:], "\n")
	_, err := parser.ParseFile(token.NewFileSet(), "", head+"func _() {\n"+rest+"}\n", parser.AllErrors)
	if err != nil && strings.Contains("\n"+rest, "\nfunc ") {
		_, err = parser.ParseFile(token.NewFileSet(), "", head+rest, parser.AllErrors)
	}
	return err
}

// checkDockerfile uses BuildKit's parser, which needs a linter, here without rules.
func checkDockerfile(b codeBlock) error {
	parsed, err := dockerfile.Parse(strings.NewReader(b.text))
	if err != nil {
		return err
	}
	_, _, err = instructions.Parse(parsed.AST, linter.New(&linter.Config{SkipAll: true}))
	return err
}

// checkJenkinsfile doesn't check the names of steps, which are defined by Jenkins' plugins.
func checkJenkinsfile(b codeBlock) error {
	file, err := os.CreateTemp(bin, "Jenkinsfile")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(b.text); err != nil {
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

// checkYAML checks every document and the shell scripts in it.
func checkYAML(b codeBlock) error {
	decoder := yaml.NewDecoder(strings.NewReader(b.text))
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := errors.Join(checkScripts(document), checkDocument(b, document)); err != nil {
			return err
		}
	}
}

// checkDocument checks a document by its file's name.
func checkDocument(b codeBlock, document map[string]any) error {
	switch {
	case strings.HasPrefix(b.file, ".github/workflows/"):
		return checkWorkflow(b)
	case b.file == "azure-pipelines.yml":
		return checkPipeline(document)
	case b.file == ".gitlab-ci.yml":
		return checkGitLab(document)
	case document["apiVersion"] != nil:
		return checkManifest(document)
	}
	return nil
}

// checkScripts checks the values of the keys that are shell scripts for GitHub Actions, Azure Pipelines and GitLab.
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
	return fmt.Errorf("a script must be text, not %v", value)
}

func checkWorkflow(b codeBlock) error {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		return err
	}
	found, err := linter.Lint(b.file, []byte(b.text), nil)
	for _, e := range found {
		err = errors.Join(err, e)
	}
	return err
}

// checkManifest decodes strictly into Kubernetes' types.
func checkManifest(document map[string]any) error {
	kinds := map[string]any{
		"v1/ServiceAccount": &corev1.ServiceAccount{},
		"v1/Pod":            &corev1.Pod{},
		"apps/v1/DaemonSet": &appsv1.DaemonSet{},
		"batch/v1/Job":      &batchv1.Job{},
		"rbac.authorization.k8s.io/v1/ClusterRole":          &rbacv1.ClusterRole{},
		"rbac.authorization.k8s.io/v1/ClusterRoleBinding":   &rbacv1.ClusterRoleBinding{},
		"kubelet.config.k8s.io/v1/CredentialProviderConfig": &kubeletconfigv1.CredentialProviderConfig{},
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
