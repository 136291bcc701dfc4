package azuretest

import (
	"fmt"
	"slices"
	"strings"
)

// A Role is one of Azure's built-in roles.
type Role string

// The roles that give access to a registry's data. The last four count where the
// registry's role assignments are conditional (ABAC), the others where not.
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

// roles is a table, after the "Azure Container Registry Entra permissions and
// roles" page of Microsoft Learn.
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

// Grant gives principal a role. Only the ABAC roles can be limited to
// repositories (a name, or a prefix that ends in *); granting one of them puts
// the registry into ABAC mode. Grants add up.
func (r *Registry) Grant(principal Principal, role Role, repositories ...string) {
	def, ok := roles[role]
	if !ok {
		panic(fmt.Sprintf("azuretest: unknown role %q", role))
	}
	if len(repositories) > 0 && (!def.abac || role == CatalogLister) {
		panic(fmt.Sprintf("azuretest: role %q can't be limited to repositories", role))
	}
	r.set(func() {
		r.abac = r.abac || def.abac
		r.grants = append(r.grants, grant{principal, role, repositories})
	})
}

// Revoke takes every role from principal. Access tokens that it has stay good
// until they end, as in Azure.
func (r *Registry) Revoke(principal Principal) {
	r.set(func() {
		r.grants = slices.DeleteFunc(r.grants, func(g grant) bool { return g.principal == principal })
	})
}

// ABAC chooses whether role assignments are conditional ("rbac-abac"). If so,
// AcrPull and its like, Owner included, no longer give access to data; if not, the
// Repository roles give none.
func (r *Registry) ABAC(on bool) { r.set(func() { r.abac = on }) }

// rights are what somebody may do with a registry's data.
type rights struct {
	rules   []rule
	catalog bool
}

type rule struct {
	repository string // a trailing * matches any ending
	actions    []string
}

// rightsOf adds up the roles of whoever has this subject in the registry's
// tokens; ok is false when no role counts.
func (r *Registry) rightsOf(subject string) (sum rights, ok bool) {
	r.set(func() {
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

// all lists the actions that are allowed somewhere, for the claim of that kind.
func (x rights) all() []string {
	actions := []string{}
	for _, rule := range x.rules {
		actions = append(actions, rule.actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// on lists the actions that are allowed on a repository.
func (x rights) on(repository string) []string {
	var here rights
	for _, rule := range x.rules {
		if matches(rule.repository, repository) {
			here.rules = append(here.rules, rule)
		}
	}
	return here.all()
}

// permit cuts what is asked for down to what is allowed. Registries grant less
// without a word; clients notice at the request itself (distribution's token
// specification, "Requesting a Token").
func (x rights) permit(asked []access) []access {
	granted := []access{}
	for _, a := range asked {
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

// intersect understands * on either side, and the older spellings metadataRead
// and metadataWrite.
func intersect(asked, allowed []string) []string {
	if slices.Contains(allowed, "*") {
		return asked
	}
	if slices.Contains(asked, "*") {
		return allowed
	}
	var both []string
	for _, action := range asked {
		modern := strings.NewReplacer("metadataRead", "metadata_read", "metadataWrite", "metadata_write").Replace(action)
		if slices.Contains(allowed, modern) {
			both = append(both, action)
		}
	}
	return both
}
