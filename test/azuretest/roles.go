package azuretest

import (
	"fmt"
	"slices"
)

// A Role is one of Azure's built-in roles.
type Role string

// Roles that give access to a registry's data. The roles of registries in ABAC mode are missing.
const (
	AcrPull   Role = "AcrPull"
	AcrPush   Role = "AcrPush"
	AcrDelete Role = "AcrDelete"
)

// roles has what each role allows on all repositories, and whether it allows to list them (Microsoft Learn, "Azure
// Container Registry Entra permissions and roles").
var roles = map[Role]rights{
	AcrPull:   {[]rule{{"*", []string{"pull", "metadata_read"}}}, true},
	AcrPush:   {[]rule{{"*", []string{"pull", "push", "metadata_read", "metadata_write"}}}, true},
	AcrDelete: {[]rule{{"*", []string{"delete"}}}, false},
}

type grant struct {
	principal Principal
	role      Role
}

// Grant assigns a role to principal, besides the roles that it has.
func (r *Registry) Grant(principal Principal, role Role) {
	if _, ok := roles[role]; !ok {
		panic(fmt.Sprintf("azuretest: unknown role %q", role))
	}
	r.cloud.locked(func() { r.grants = append(r.grants, grant{principal, role}) })
}

// Revoke removes all roles of principal. Access tokens that it has stay valid until they expire, as in Azure.
func (r *Registry) Revoke(principal Principal) {
	r.cloud.locked(func() {
		r.grants = slices.DeleteFunc(r.grants, func(g grant) bool { return g.principal == principal })
	})
}

// rights are the actions allowed on a registry's data.
type rights struct {
	rules   []rule
	catalog bool
}

type rule struct {
	repository string // a trailing * matches any suffix
	actions    []string
}

// rightsOf returns the sum of the roles of a subject; ok is false without a role.
func (r *Registry) rightsOf(subject string) (sum rights, ok bool) {
	r.cloud.locked(func() {
		for _, g := range r.grants {
			if g.principal.subject() == subject {
				ok = true
				sum.catalog = sum.catalog || roles[g.role].catalog
				sum.rules = append(sum.rules, roles[g.role].rules...)
			}
		}
	})
	return sum, ok
}

// all returns the actions that are allowed on any repository, for the claim permissions.
func (x rights) all() []string {
	actions := []string{}
	for _, rule := range x.rules {
		actions = append(actions, rule.actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// on returns the actions that are allowed on a repository.
func (x rights) on(repository string) []string {
	var matching rights
	for _, rule := range x.rules {
		if matches(rule.repository, repository) {
			matching.rules = append(matching.rules, rule)
		}
	}
	return matching.all()
}

// permit returns the allowed part of the requested access. Granting less is no error: clients find out at the request
// itself (distribution's token specification, "Requesting a Token").
func (x rights) permit(requested []access) []access {
	granted := []access{}
	for _, a := range requested {
		switch {
		case a.Type == "registry" && a.Name == "catalog":
			if x.catalog {
				granted = append(granted, a)
			}
		case a.Type == "repository" || a.Type == "artifact-repository":
			if actions := intersect(a.Actions, x.on(a.Name)); len(actions) > 0 {
				granted = append(granted, access{a.Type, a.Name, actions})
			}
		}
	}
	return granted
}

// intersect returns the requested actions that are allowed. Both lists may contain *.
func intersect(requested, allowed []string) []string {
	if slices.Contains(allowed, "*") {
		return requested
	}
	if slices.Contains(requested, "*") {
		return allowed
	}
	return slices.DeleteFunc(slices.Clone(requested), func(action string) bool {
		return !slices.Contains(allowed, action)
	})
}
