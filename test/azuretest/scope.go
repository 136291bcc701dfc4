package azuretest

import (
	"fmt"
	"strings"
)

// An access is one resource and what may be done to it, in scopes and in the
// access claim alike.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// String is the access as a scope.
func (a access) String() string {
	return a.Type + ":" + a.Name + ":" + strings.Join(a.Actions, ",")
}

// parseScopes reads scope parameters. Clients repeat the parameter, or join
// several scopes by spaces in one.
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

// parseScope reads type:name:action,action. A name may hold colons itself, so the
// first and the last one count.
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

// covers tells whether granted accesses allow each action of need.
func covers(granted []access, need access) bool {
	var have []string
	for _, a := range granted {
		if a.Type == need.Type && a.Name == need.Name {
			have = append(have, a.Actions...)
		}
	}
	return len(intersect(need.Actions, have)) == len(need.Actions)
}
