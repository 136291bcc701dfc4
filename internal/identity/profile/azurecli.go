// Package profile reads who is signed in to developer tools of Azure's, from files
// of theirs that hold no secret, without running them: that would take seconds.
package profile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// A Subscription is one of those in Azure CLI's azureProfile.json, with whoever
// signed in to see it.
type Subscription struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	TenantID        string `json:"tenantId"`
	IsDefault       bool   `json:"isDefault"`
	EnvironmentName string `json:"environmentName"`
	User            struct {
		Name string `json:"name"`
		Type string `json:"type"`
		// Assigned tells managed identities apart, all of which az calls
		// userAssignedIdentity or systemAssignedIdentity.
		Assigned string `json:"assignedIdentityInfo"`
	} `json:"user"`
}

// Account is whoever signed in to see the subscription, under a name for people.
func (s Subscription) Account() string {
	return identity.Printable(cmp.Or(s.User.Assigned, s.User.Name))
}

// Fingerprint tells accounts apart.
func (s Subscription) Fingerprint() string {
	return strings.Join([]string{s.User.Type, s.User.Name, s.User.Assigned}, "\n")
}

// Pick finds exactly one subscription, whose id can stand on a command line.
func Pick(all []Subscription, wanted string) (Subscription, error) {
	var found []Subscription
	for _, s := range all {
		if strings.EqualFold(wanted, s.ID) || strings.EqualFold(wanted, s.Name) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return Subscription{}, errors.New("none of that name or id")
	case len(found) > 1:
		return Subscription{}, fmt.Errorf("%d of that name", len(found))
	case !identity.IsGUID(found[0].ID) || !identity.IsTenant(found[0].TenantID):
		return Subscription{}, errors.New("no usable id for it")
	}
	return found[0], nil
}

// Subscriptions lists what Azure CLI's profile lists; nothing where there is no
// profile that can be read. dir is Azure CLI's directory, "" for none.
func Subscriptions(dir string) []Subscription {
	var profile struct {
		Subscriptions []Subscription `json:"subscriptions"`
	}
	if json.Unmarshal(readFrom(dir, "azureProfile.json"), &profile) != nil {
		return nil
	}
	return profile.Subscriptions
}
