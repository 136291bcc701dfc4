package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// No package has the schemas of Azure Pipelines and GitLab CI. These are the keys that the recipes use, from the
// references of both; add a key that the reference has and this list lacks.
var (
	pipelineKeys = []string{"trigger", "pool", "steps", "variables", "name"}
	stepKeys     = []string{"task", "script", "displayName", "inputs", "env"}
	taskName     = regexp.MustCompile(`^[A-Za-z]+@[0-9]+$`)

	// from the tasks' task.json
	taskInputs = map[string][]string{
		"AzureCLI@2": {"azureSubscription", "scriptType", "scriptLocation", "inlineScript"},
		"GoTool@0":   {"version"},
	}

	gitlabKeys = []string{"stages", "variables", "default", "include", "workflow"}
	// Jobs can't have these names, which are deprecated global defaults.
	gitlabReserved = []string{
		"image", "services", "cache", "before_script", "after_script", "types", "true", "false", "nil",
	}
	jobKeys = []string{
		"stage", "image", "script", "before_script", "rules", "timeout", "id_tokens", "variables", "artifacts", "needs",
	}
)

func checkPipeline(document map[string]any) error {
	if err := checkKeys("the pipeline", document, pipelineKeys); err != nil {
		return err
	}
	steps, _ := document["steps"].([]any)
	if len(steps) == 0 {
		return errors.New("no steps")
	}
	for _, step := range steps {
		if err := checkStep(step); err != nil {
			return err
		}
	}
	return nil
}

func checkStep(node any) error {
	step, _ := node.(map[string]any)
	if err := checkKeys("a step", step, stepKeys); err != nil {
		return err
	}
	task, isTask := step["task"].(string)
	if _, isScript := step["script"].(string); isTask == isScript {
		return fmt.Errorf("a step is either a task or a script: %v", step)
	}
	if !isTask {
		return nil
	}
	if !taskName.MatchString(task) {
		return fmt.Errorf("task %q has no major version", task)
	}
	inputs, _ := step["inputs"].(map[string]any)
	for _, input := range taskInputs[task] {
		if s, _ := inputs[input].(string); s == "" {
			return fmt.Errorf("%s: no %s, or not text", task, input)
		}
	}
	return checkKeys(task, inputs, taskInputs[task])
}

func checkGitLab(document map[string]any) error {
	stages, _ := document["stages"].([]any)
	for name, node := range document {
		if slices.Contains(gitlabKeys, name) {
			continue
		}
		if slices.Contains(gitlabReserved, name) {
			return fmt.Errorf("%s is not a name for a job", name)
		}
		job, _ := node.(map[string]any)
		if err := checkKeys("job "+name, job, jobKeys); err != nil {
			return err
		}
		if job["script"] == nil {
			return fmt.Errorf("job %s has no script", name)
		}
		if !slices.Contains(stages, job["stage"]) {
			return fmt.Errorf("job %s: no stage %v", name, job["stage"])
		}
		if err := checkIDTokens(job); err != nil {
			return fmt.Errorf("job %s: %w", name, err)
		}
	}
	return nil
}

func checkIDTokens(job map[string]any) error {
	tokens, _ := job["id_tokens"].(map[string]any)
	for name, node := range tokens {
		token, _ := node.(map[string]any)
		if token["aud"] == nil {
			return fmt.Errorf("the ID token %s has no aud", name)
		}
		if err := checkKeys(name, token, []string{"aud"}); err != nil {
			return err
		}
	}
	return nil
}

func checkKeys(what string, node map[string]any, known []string) error {
	if len(node) == 0 {
		return fmt.Errorf("%s: not a mapping with keys", what)
	}
	for key := range node {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s: %q is not one of %s", what, key, strings.Join(known, ", "))
		}
	}
	return nil
}
