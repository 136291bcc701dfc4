package azuretest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An aadsts is one of Entra's numbered errors.
type aadsts struct {
	status   int
	name     string // RFC 6749 §5.2 and Entra's additions
	suberror string
	text     string // {app}, {tenant} etc. are replaced
}

// aadstsTable has the errors of the authority and of AADSTS. Names and texts are those of Microsoft's "Microsoft
// Entra authentication and authorization error codes" and of recorded responses.
var aadstsTable = map[int]aadsts{
	50011: {400, "invalid_request", "", "The redirect URI '{redirect}' specified in the request does not match " +
		"the redirect URIs configured for the application '{app}'. Make sure the redirect URI sent in the request " +
		"matches one added to your application in the Azure portal."},
	50013: {401, "invalid_client", "", "Assertion failed signature validation. [Reason - The key was not found.]"},
	50020: {400, "invalid_grant", "", "User account from identity provider does not exist in tenant '{tenant}' " +
		"and cannot access the application '{app}' in that tenant."},
	50027: {401, "invalid_client", "", "JWT token is invalid or malformed."},
	50049: {400, "invalid_instance", "", "Unknown or invalid instance."},
	50076: {400, "invalid_grant", "basic_action", "Due to a configuration change made by your administrator, or " +
		"because you moved to a new location, you must use multi-factor authentication to access '{app}'."},
	50173: {400, "invalid_grant", "bad_token", "The provided grant has expired due to it being revoked, a fresh " +
		"auth token is needed. The user might have changed or reset their password."},
	53003: {400, "interaction_required", "message_only", "Access has been blocked by Conditional Access " +
		"policies. The access policy does not allow token issuance."},
	54005: {400, "invalid_grant", "", "OAuth2 Authorization code was already redeemed, please retry with a new " +
		"valid code or use an existing refresh token."},
	65001: {400, "invalid_grant", "consent_required", "The user or administrator has not consented to use the " +
		"application with ID '{app}'. Send an interactive authorization request for this user and resource."},
	65004: {400, "access_denied", "", "User declined to consent to access the app."},
	70000: {400, "invalid_grant", "bad_token", "Provided grant is invalid or malformed."},
	70003: {400, "unsupported_grant_type", "", "The app requested an unsupported grant type '{grant}'."},
	70005: {400, "unsupported_response_type", "", "The app returned an unsupported response type '{value}'."},
	70007: {400, "invalid_request", "", "'{value}' is not a supported value for 'response_mode'."},
	70008: {400, "invalid_grant", "", "The provided authorization code or refresh token has expired due to " +
		"inactivity. Send a new interactive authorization request for this user and resource."},
	70011: {400, "invalid_scope", "", "The provided request must include a 'scope' input parameter. The " +
		"provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."},
	70016: {400, "authorization_pending", "", "OAuth 2.0 device flow error. Authorization is pending. Continue " +
		"polling."},
	70018: {400, "bad_verification_code", "", "Invalid verification code due to User typing in wrong user code " +
		"for device code flow."},
	70020: {400, "expired_token", "", "The provided value for the input parameter 'device_code' is not valid. " +
		"This device code has expired."},
	90002: {400, "invalid_request", "", "Tenant '{tenant}' not found. Check to make sure you have the correct " +
		"tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may " +
		"happen if there are no active subscriptions for the tenant."},
	90023: {400, "invalid_request", "", "Unsupported '{parameter}' value."},
	90100: {400, "invalid_request", "", "The '{parameter}' parameter is empty or not valid."},
	90130: {400, "invalid_request", "", "Application '{app}' is not supported over the /common or /consumers " +
		"endpoints. Please use the /organizations or tenant-specific endpoint."},
	500011: {400, "invalid_resource", "", "The resource principal named {resource} was not found in the tenant " +
		"named {tenant}. This can happen if the application has not been installed by the administrator of the " +
		"tenant or consented to by any user in the tenant. You might have sent your authentication request to the " +
		"wrong tenant."},
	500112: {400, "invalid_client", "", "The reply address '{redirect}' does not match the reply address " +
		"'{registered}' provided when requesting Authorization code."},
	501481: {400, "invalid_grant", "", "The Code_Verifier does not match the code_challenge supplied in the " +
		"authorization request."},
	501491: {400, "invalid_request", "", "Invalid size of Code_Challenge parameter."},
	700005: {400, "invalid_grant", "", "The provided Authorization Code is intended to be used against other " +
		"tenant, thus rejected."},
	700016: {400, "unauthorized_client", "", "Application with identifier '{app}' was not found in the directory " +
		"'{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or " +
		"consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."},
	700021: {401, "invalid_client", "", "Client assertion application identifier doesn't match 'client_id' " +
		"parameter."},
	700023: {401, "invalid_client", "", "Client assertion audience claim does not match Realm issuer."},
	700024: {401, "invalid_client", "", "Client assertion is not within its valid time range."},
	700025: {401, "invalid_client", "", "Client is public so neither 'client_assertion' nor 'client_secret' " +
		"should be presented."},
	700027: {401, "invalid_client", "", "The certificate with identifier used to sign the client assertion is " +
		"not registered on application. [Reason - The key was not found.]"},
	700030: {401, "invalid_client", "", "Invalid certificate - subject name in certificate is not authorized."},
	700082: {400, "invalid_grant", "", "The refresh token has expired due to inactivity. The token was inactive " +
		"for 90.00:00:00."},
	700211: {400, "invalid_client", "", "No matching federated identity record found for presented assertion " +
		"issuer '{issuer}'. Please note that the issuer '{issuer}' must match exactly the configured federated " +
		"identity credential."},
	700212: {400, "invalid_client", "", "No matching federated identity record found for presented assertion " +
		"audience '{audience}'."},
	700213: {400, "invalid_client", "", "No matching federated identity record found for presented assertion " +
		"subject '{subject}'."},
	900144:  {400, "invalid_request", "", "The request body must contain the following parameter: '{parameter}'."},
	900382:  {400, "invalid_request", "", "Confidential Client is not supported in Cross Cloud request."},
	900561:  {400, "invalid_request", "", "The endpoint only accepts POST requests. Received a GET request."},
	900971:  {400, "invalid_request", "", "No reply address provided."},
	7000112: {400, "unauthorized_client", "", "Application '{app}' is disabled."},
	7000215: {401, "invalid_client", "", "Invalid client secret provided. Ensure the secret being sent in the " +
		"request is the client secret value, not the client secret ID, for a secret added to app '{app}'."},
	7000218: {401, "invalid_client", "", "The request body must contain the following parameter: " +
		"'client_assertion' or 'client_secret'."},
	7000222: {401, "invalid_client", "", "The provided client secret keys for app '{app}' are expired. Visit the " +
		"Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate " +
		"credentials for added security: https://aka.ms/certCreds."},
	9000411: {400, "invalid_request", "", "The request is not properly formatted. The parameter '{parameter}' is " +
		"duplicated."},
	9001023: {400, "invalid_request", "", "The grant type is not supported over the /common or /consumers " +
		"endpoints. Please use the /organizations or tenant-specific endpoint."},
	9002313: {400, "invalid_grant", "", "Invalid request. Request is malformed or invalid."},
}

// An entraError is the body of a refusal.
type entraError struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
	Suberror      string `json:"suberror,omitempty"`
	Claims        string `json:"claims,omitempty"`
}

// newEntraError returns an error of the table. Like Entra today, it separates text and IDs in the description with
// spaces.
func newEntraError(code int, host, trace, correlation string, at time.Time, pairs ...string) (aadsts, entraError) {
	row, ok := aadstsTable[code]
	if !ok {
		panic(fmt.Sprintf("azuretest: AADSTS%d is not in the table", code))
	}
	stamp := at.UTC().Format("2006-01-02 15:04:05Z")
	text := strings.NewReplacer(pairs...).Replace(row.text)
	return row, entraError{
		Error: row.name,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			code, text, trace, correlation, stamp),
		Codes: []int{code}, Timestamp: stamp, TraceID: trace, CorrelationID: correlation,
		URI:      "https://" + host + "/error?code=" + strconv.Itoa(code),
		Suberror: row.suberror,
	}
}

// refuse sends an AADSTS error and returns false. name replaces the error name of the table unless it is empty. pairs
// are the replacements in its text, besides {tenant}.
func (q *entraRequest) refuse(code int, name string, pairs ...string) bool {
	row, body := q.newError(code, pairs...)
	if name != "" {
		body.Error = name
	}
	body.Claims = q.claims
	q.w.Header().Set("X-Ms-Clitelem", "1,"+strconv.Itoa(code)+",0,,")
	writeJSON(q.w, row.status, body)
	return false
}

// newError returns an error for this request, and records it as the reason.
func (q *entraRequest) newError(code int, pairs ...string) (aadsts, entraError) {
	note(q.r, "AADSTS"+strconv.Itoa(code))
	pairs = append(pairs, "{tenant}", q.tenant)
	return newEntraError(code, q.authority.hosts[0], q.trace, q.correlation(), q.cloud.Now(), pairs...)
}

// AADSTS returns the fault of an authority that refuses with one of its numbered errors. It panics if aadstsTable
// doesn't have the number.
//
//	cloud.Fault("login.microsoftonline.com", "/*", cloud.AADSTS(53003))
func (c *Cloud) AADSTS(code int) Fault {
	row, body := newEntraError(code, DefaultAuthority, newGUID(), newGUID(), c.Now(),
		"{tenant}", newGUID(), "{app}", newGUID(), "{resource}", acrResource,
		"{issuer}", GitHubIssuer, "{subject}", "repo:contoso/app:ref:refs/heads/main", "{audience}", TokenExchange)
	header := http.Header{"Cache-Control": {"no-store, no-cache"}, "X-Ms-Request-Id": {body.TraceID}}
	return Fault{Method: http.MethodPost, Status: row.status, Header: header, Body: string(mustJSON(body))}
}
