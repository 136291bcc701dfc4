package azuretest

import (
	"fmt"
	"strings"
)

// An access is a resource and the actions on it, as in scopes and the access claim.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// String returns the access as a scope.
func (a access) String() string {
	return a.Type + ":" + a.Name + ":" + strings.Join(a.Actions, ",")
}

// parseScopes parses scope parameters. Clients repeat the parameter, or separate scopes with spaces.
func parseScopes(params []string) ([]access, error) {
	var all []access
	for _, scope := range strings.Fields(strings.Join(params, " ")) {
		a, err := parseScope(scope)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// parseScope parses type:name:action,action. The name may contain colons.
func parseScope(scope string) (access, error) {
	kind, rest, _ := strings.Cut(scope, ":")
	i := strings.LastIndex(rest, ":")
	if i <= 0 || i == len(rest)-1 {
		return access{}, fmt.Errorf("malformed scope %q", scope)
	}
	a := access{Type: kind, Name: rest[:i], Actions: strings.Split(rest[i+1:], ",")}
	switch a.Type {
	case "repository", "artifact-repository", "registry":
		return a, nil
	}
	return access{}, fmt.Errorf("scope of unknown type %q", scope)
}

// covers reports whether granted allows all actions of need.
func covers(granted []access, need access) bool {
	var allowed []string
	for _, a := range granted {
		if a.Type == need.Type && a.Name == need.Name {
			allowed = append(allowed, a.Actions...)
		}
	}
	return len(intersect(need.Actions, allowed)) == len(need.Actions)
}
