package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The schemas of Azure Pipelines and GitLab come in no package, so only what the
// recipes use is known here, after the references of both: a key that is missing
// below may be right, and belongs there then.

var (
	pipelineKeys = []string{"trigger", "pool", "steps", "variables", "name"}
	stepKeys     = []string{"task", "script", "displayName", "inputs", "env"}
	taskName     = regexp.MustCompile(`^[A-Za-z]+@[0-9]+$`)

	// From AzureCLI@2's and GoTool@0's task.json.
	taskInputs = map[string][]string{
		"AzureCLI@2": {"azureSubscription", "scriptType", "scriptLocation", "inlineScript"},
		"GoTool@0":   {"version"},
	}

	gitlabKeys = []string{"stages", "variables", "default", "include", "workflow"}
	// No job can have these names: at the top they are defaults for all jobs.
	gitlabReserved = []string{"image", "services", "cache", "before_script", "after_script", "types", "true", "false", "nil"}
	jobKeys        = []string{
		"stage", "image", "script", "before_script", "rules", "timeout", "id_tokens", "variables", "artifacts", "needs",
	}
)

// checkPipeline checks azure-pipelines.yml's structure, as far as the recipe goes.
func checkPipeline(document map[string]any) error {
	if err := onlyKeys("the pipeline", document, pipelineKeys); err != nil {
		return err
	}
	steps, _ := document["steps"].([]any)
	if len(steps) == 0 {
		return fmt.Errorf("no steps")
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
	if err := onlyKeys("a step", step, stepKeys); err != nil {
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
		return fmt.Errorf("task %q names no major version", task)
	}
	inputs, _ := step["inputs"].(map[string]any)
	for _, input := range taskInputs[task] {
		if s, _ := inputs[input].(string); s == "" {
			return fmt.Errorf("%s: no %s, or not text", task, input)
		}
	}
	return onlyKeys(task, inputs, taskInputs[task])
}

// checkGitLab checks .gitlab-ci.yml's structure, as far as the recipe goes.
func checkGitLab(document map[string]any) error {
	stages, _ := document["stages"].([]any)
	for name, node := range document {
		if slices.Contains(gitlabKeys, name) {
			continue
		}
		if slices.Contains(gitlabReserved, name) {
			return fmt.Errorf("a job can't be called %s", name)
		}
		job, _ := node.(map[string]any)
		if err := onlyKeys("job "+name, job, jobKeys); err != nil {
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
			return fmt.Errorf("the id token %s has no aud", name)
		}
		if err := onlyKeys(name, token, []string{"aud"}); err != nil {
			return err
		}
	}
	return nil
}

func onlyKeys(what string, node map[string]any, known []string) error {
	if len(node) == 0 {
		return fmt.Errorf("%s: a mapping with keys is missing", what)
	}
	for key := range node {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s: %q is none of %s", what, key, strings.Join(known, ", "))
		}
	}
	return nil
}
