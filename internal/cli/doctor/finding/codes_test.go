package finding

import "testing"

// TestEveryCodeHasAHint but those that are no trouble, and those whose fact says it.
func TestEveryCodeHasAHint(t *testing.T) {
	for _, code := range []string{
		CodeNotOnPath, CodeShadowed, CodeSettings, CodeNoVault, CodeVault, CodeLocked, CodeUnavailable, CodeNoKeyring, CodeHomeless, CodeNotWired, CodeKey, CodeOther,
		CodeUnreadable, CodeLeftover, CodeAuthConfig, CodePodmanWiring, CodePodmanOther, CodePodmanBroken, CodePodmanBefore, CodeNobody, CodeClock,
		CodeBasic, CodeNoChallenge, CodeRealm, CodePermissions, CodePullMissing, CodeNotAnonymous, CodePassword,
	} {
		if hints[code] == "" {
			t.Errorf("%s has no hint", code)
		}
	}
}
