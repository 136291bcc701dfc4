package azuretest

import (
	"encoding/json"
	"slices"
	"strings"
)

// policy holds a tenant's public clients, consent and Conditional Access; guarded by Cloud.mu.
type policy struct {
	clients        []string // applications that users can sign in to
	withoutConsent []string // those of them that lack consent
	required       string   // a policy that sign-ins must satisfy; may be empty
	blockCode      int      // AADSTS of a policy that no sign-in satisfies; may be 0
	singleUse      bool     // refresh tokens work once
}

// WithholdConsent removes the consent for an application in this tenant. Users can't give it again by themselves
// (AADSTS65001).
func (t *Tenant) WithholdConsent(client string) {
	t.cloud.locked(func() { t.policy.withoutConsent = append(t.policy.withoutConsent, client) })
}

// StepUp starts to require more than earlier sign-ins proved, as a policy for multi-factor authentication does.
// Sign-ins before it or without the returned claims are refused with AADSTS50076 and the claims.
func (t *Tenant) StepUp() (claims string) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.required = newGUID()
	return claimsFor(t.policy.required)
}

// Block refuses all users by a policy that no sign-in satisfies: an AADSTS number such as 53003. Zero ends it, and
// StepUp's policy too.
func (t *Tenant) Block(code int) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.policy.blockCode = code
	if code == 0 {
		t.policy.required = ""
	}
}

// SingleUseRefreshTokens makes each refresh token work once. Entra doesn't revoke old ones, but documents that
// clients must not rely on it.
func (t *Tenant) SingleUseRefreshTokens() { t.cloud.locked(func() { t.policy.singleUse = true }) }

// policyError returns the AADSTS code of a policy that refuses a sign-in now, with its claims challenge, or 0.
func (s signIn) policyError() (code int, claims string) {
	t := s.user.tenant
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	switch p := t.policy; {
	case p.blockCode != 0:
		return p.blockCode, ""
	case containsFold(p.withoutConsent, s.client):
		return 65001, ""
	case p.required != "" && p.required != s.policy:
		return 50076, claimsFor(p.required)
	}
	return 0, ""
}

// containsFold reports whether a list contains an ID. IDs are case-insensitive.
func containsFold(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(other string) bool { return strings.EqualFold(other, id) })
}

// claimsFor returns the claims challenge for a policy, in Conditional Access's form.
func claimsFor(policy string) string {
	return `{"access_token":{"capolids":{"essential":true,"values":["` + policy + `"]}}}`
}

// policyIn returns the policy of a claims parameter, if any; ok is false for invalid JSON. Claims for two policies
// don't occur.
func policyIn(claims string) (policy string, ok bool) {
	if claims == "" {
		return "", true
	}
	var request struct {
		AccessToken struct {
			Policies struct{ Values []string } `json:"capolids"`
		} `json:"access_token"`
	}
	if json.Unmarshal([]byte(claims), &request) != nil {
		return "", false
	}
	if values := request.AccessToken.Policies.Values; len(values) > 0 {
		return values[0], true
	}
	return "", true
}
