package azuretest

import (
	"fmt"
	"slices"
	"strings"
)

// A Role is one of Azure's built-in roles.
type Role string

// The roles that give access to a registry's data. The last four apply to registries in ABAC mode, the others to all
// other registries.
const (
	AcrPull               Role = "AcrPull"
	AcrPush               Role = "AcrPush"
	AcrDelete             Role = "AcrDelete"
	Owner                 Role = "Owner"
	Contributor           Role = "Contributor"
	Reader                Role = "Reader"
	RepositoryReader      Role = "Container Registry Repository Reader"
	RepositoryWriter      Role = "Container Registry Repository Writer"
	RepositoryContributor Role = "Container Registry Repository Contributor"
	CatalogLister         Role = "Container Registry Repository Catalog Lister"
)

type roleActions struct {
	actions []string
	catalog bool
	abac    bool
}

// roles follows Microsoft Learn, "Azure Container Registry Entra permissions and roles".
var roles = map[Role]roleActions{
	AcrPull:               {[]string{"pull", "metadata_read"}, true, false},
	AcrPush:               {[]string{"pull", "push", "metadata_read", "metadata_write"}, true, false},
	AcrDelete:             {[]string{"delete"}, false, false},
	Owner:                 {[]string{"*"}, true, false},
	Contributor:           {[]string{"*"}, true, false},
	Reader:                {[]string{"pull", "metadata_read"}, true, false},
	RepositoryReader:      {[]string{"pull", "metadata_read"}, false, true},
	RepositoryWriter:      {[]string{"pull", "push", "metadata_read", "metadata_write"}, false, true},
	RepositoryContributor: {[]string{"*"}, false, true},
	CatalogLister:         {nil, true, true},
}

type grant struct {
	principal    Principal
	role         Role
	repositories []string // empty: all
}

// Grant assigns a role to principal, besides the roles that it has. Only the ABAC roles can be limited to
// repositories (a name, or a prefix that ends in *). Granting one of them switches the registry to ABAC mode, in
// which AcrPull and the like, even Owner, give no access to data.
func (r *Registry) Grant(principal Principal, role Role, repositories ...string) {
	def, ok := roles[role]
	if !ok {
		panic(fmt.Sprintf("azuretest: unknown role %q", role))
	}
	if len(repositories) > 0 && (!def.abac || role == CatalogLister) {
		panic(fmt.Sprintf("azuretest: role %q can't be limited to repositories", role))
	}
	r.cloud.locked(func() {
		r.abac = r.abac || def.abac
		r.grants = append(r.grants, grant{principal, role, repositories})
	})
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

// rightsOf returns the sum of the roles of a subject; ok is false without an applicable role.
func (r *Registry) rightsOf(subject string) (sum rights, ok bool) {
	r.cloud.locked(func() {
		for _, g := range r.grants {
			def := roles[g.role]
			if def.abac != r.abac || g.principal.subject() != subject {
				continue
			}
			ok = true
			sum.catalog = sum.catalog || def.catalog
			repositories := g.repositories
			if len(repositories) == 0 {
				repositories = []string{"*"}
			}
			for _, repository := range repositories {
				sum.rules = append(sum.rules, rule{repository, def.actions})
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

// oldSpelling replaces the old spelling of two actions, which clients still request.
var oldSpelling = strings.NewReplacer("metadataRead", "metadata_read", "metadataWrite", "metadata_write")

// intersect returns the requested actions that are allowed. Both lists may contain *.
func intersect(requested, allowed []string) []string {
	if slices.Contains(allowed, "*") {
		return requested
	}
	if slices.Contains(requested, "*") {
		return allowed
	}
	var both []string
	for _, action := range requested {
		if slices.Contains(allowed, oldSpelling.Replace(action)) {
			both = append(both, action)
		}
	}
	return both
}
