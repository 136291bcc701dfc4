package e2e

import (
	"strings"
	"testing"
)

// bashCompletion is part of Debian's package bash-completion; the script that cobra generates needs it.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

// TestCompletion completes a registry in real shells, as the TAB key does after "docker-credential-acr status ".
func TestCompletion(t *testing.T) {
	for shell, script := range map[string]string{
		"bash": `
			source ` + bashCompletion + `
			source <(docker-credential-acr completion bash)
			COMP_WORDS=(docker-credential-acr status '') COMP_CWORD=2
			COMP_LINE='docker-credential-acr status ' COMP_POINT=29 COMP_TYPE=9
			__start_docker-credential-acr
			printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `
			docker-credential-acr completion fish | source
			complete -C 'docker-credential-acr status '`,
		// zsh completes only in its line editor, which needs a terminal.
		"zsh": `
			zmodload zsh/zpty
			zpty shell zsh -f -i
			zpty -w shell \
				'autoload -U compinit; compinit -u -D; source <(docker-credential-acr completion zsh); PS1=ready'
			zpty -r -m shell REPLY '*ready*ready*'
			zpty -w -n shell $'docker-credential-acr status \t'
			zpty -r -m shell REPLY '*status*azurecr.io*'
			print -r -- $REPLY`,
	} {
		t.Run(shell, func(t *testing.T) {
			requireTools(t, shell)
			if shell == "bash" && !exists(bashCompletion) {
				skipOrFail(t, "bash-completion is not installed (Debian: apt-get install bash-completion)")
			}
			f := newFixture(t)
			f.configure(dockerConfig)
			out, err := f.exec("", shell, "-c", script)
			if err != nil || !strings.Contains(out, host) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
