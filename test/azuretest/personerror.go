package azuretest

import "encoding/json"

// personErrors are the errors that only people's sign-ins meet; texts as in
// aadstsTable.
var personErrors = map[int]aadsts{
	50011:   {400, "invalid_request", "", "The redirect URI '{redirect}' specified in the request does not match the redirect URIs configured for the application '{app}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal."},
	50133:   {400, "invalid_grant", "bad_token", "Session is invalid due to expiration or recent password change."},
	54005:   {400, "invalid_grant", "", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."},
	65004:   {400, "access_denied", "", "User declined to consent to access the app."},
	70000:   {400, "invalid_grant", "bad_token", "Provided grant is invalid or malformed."},
	70005:   {400, "unsupported_response_type", "", "The app returned an unsupported response type '{value}'."},
	70007:   {400, "invalid_request", "", "'{value}' is not a supported value for 'response_mode'."},
	70008:   {400, "invalid_grant", "", "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."},
	70016:   {400, "authorization_pending", "", "OAuth 2.0 device flow error. Authorization is pending. Continue polling."},
	70018:   {400, "bad_verification_code", "", "Invalid verification code due to User typing in wrong user code for device code flow."},
	70020:   {400, "expired_token", "", "The provided value for the input parameter 'device_code' is not valid. This device code has expired."},
	90023:   {400, "invalid_request", "", "Unsupported '{parameter}' value."},
	90100:   {400, "invalid_request", "", "The '{parameter}' parameter is empty or not valid."},
	500112:  {400, "invalid_client", "", "The reply address '{redirect}' does not match the reply address '{registered}' provided when requesting Authorization code."},
	501481:  {400, "invalid_grant", "", "The Code_Verifier does not match the code_challenge supplied in the authorization request."},
	501491:  {400, "invalid_request", "", "Invalid size of Code_Challenge parameter."},
	700005:  {400, "invalid_grant", "", "The provided Authorization Code is intended to be used against other tenant, thus rejected."},
	700025:  {401, "invalid_client", "", "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."},
	900971:  {400, "invalid_request", "", "No reply address provided."},
	9000411: {400, "invalid_request", "", "The request is not properly formatted. The parameter '{parameter}' is duplicated."},
	9002313: {400, "invalid_grant", "", "Invalid request. Request is malformed or invalid."},
}

// aadstsRow looks an error up in either table.
func aadstsRow(code int) (aadsts, bool) {
	row, ok := aadstsTable[code]
	if !ok {
		row, ok = personErrors[code]
	}
	return row, ok
}

// claimsFor is the claims challenge of a policy, in the form that Conditional
// Access gives it.
func claimsFor(policy string) string {
	return `{"access_token":{"capolids":{"essential":true,"values":["` + policy + `"]}}}`
}

// policyIn is the policy that a claims parameter is the answer to; ok is false
// for what isn't JSON. Two of them don't occur.
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

// objection is why the tenant's policies don't let a sign-in through now; 0 for
// no reason.
func (s signIn) objection() (code int, claims string) {
	t := s.user.tenant
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	switch p := t.policy; {
	case p.blocked != 0:
		return p.blocked, ""
	case contains(p.withheld, s.client):
		return 65001, ""
	case p.challenge != "" && p.challenge != s.met:
		return 50076, claimsFor(p.challenge)
	case p.frequency != 0 && t.cloud.now().Sub(s.at) >= p.frequency:
		return 70043, ""
	}
	return 0, ""
}
