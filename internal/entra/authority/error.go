package authority

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

// An Error is a refusal by Microsoft Entra, first-hand or as Azure CLI reports
// it: codes, never the description. (RFC 6749 §5.2; Microsoft Learn,
// "Microsoft Entra authentication and authorization error codes".)
type Error struct {
	// Status is the HTTP status; 0 where Azure CLI reported the error.
	Status int
	// OAuth is the error of RFC 6749, such as invalid_client.
	OAuth string
	// AADSTS is Microsoft's own number; 0 for none.
	AADSTS int
	// Correlation is what Microsoft's support asks for.
	Correlation string
	// Claims is what a sign-in must satisfy that would be accepted: the claims
	// challenge of Conditional Access, to be sent as it is; "" for none.
	Claims string
	// Wait is how long Entra asks to wait.
	Wait time.Duration
}

// Codes of errors that have no AADSTS number.
const (
	CodeThrottled = "entra-429"
	CodeTrouble   = "entra-5xx"
	CodeOther     = "entra-other"
)

// Code is what a hint is looked up by.
func (e *Error) Code() string {
	switch {
	case e.AADSTS != 0:
		return "AADSTS" + strconv.Itoa(e.AADSTS)
	case e.Status == http.StatusTooManyRequests:
		return CodeThrottled
	case e.Status >= 500:
		return CodeTrouble
	}
	return CodeOther
}

// RetryAfter is how long Entra asks to wait; zero if it doesn't say.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// meanings says in words what the numbers mean that users meet.
var meanings = map[int]string{
	7000215: "the client secret is wrong",
	7000222: "the client secret has expired",
	7000218: "the application needs a secret or another proof",
	7000112: "the application is disabled",
	700024:  "the assertion is outside of its valid time",
	700027:  "the certificate is not registered on the application",
	700030:  "the certificate's subject is not authorized on the application",
	70021:   "no federated credential of the application matches the token",
	700211:  "no federated credential of the application has the token's issuer",
	700212:  "no federated credential of the application has the token's audience",
	700213:  "no federated credential of the application has the token's subject",
	700016:  "the application is not known in this tenant",
	90002:   "the tenant does not exist in this cloud",
	900382:  "the tenant belongs to another cloud",
	50001:   "the audience is not known in this tenant",
	500011:  "the audience is not known in this tenant",
	50020:   "the user does not belong to this tenant",
	50034:   "the user does not exist in this tenant",
	50057:   "the user is disabled",
	50105:   "the user is not assigned to the application",
	50072:   "multi-factor authentication has to be set up",
	50074:   "multi-factor authentication is needed",
	50076:   "multi-factor authentication is needed",
	50079:   "multi-factor authentication has to be set up",
	53000:   "Conditional Access asks for a compliant device",
	53001:   "Conditional Access asks for a joined device",
	53002:   "Conditional Access does not allow the application",
	53003:   "Conditional Access blocks the sign-in",
	530032:  "a security policy blocks the sign-in",
	65001:   "consent to the application is missing",
	70043:   "the sign-in has expired",
	700082:  "the sign-in has expired for want of use",
	50132:   "the sign-in was revoked",
	50133:   "the sign-in was revoked",
	50173:   "the sign-in was revoked",
	50196:   "Entra sees the same request too often",
	70011:   "the audience is not one that Entra can read",
	70018:   "the device code is not known",
	70019:   "the device code has expired",
	70020:   "the device code has expired",
	90094:   "an administrator has to consent to the application",
	90095:   "an administrator has to consent to the application",
	100007:  "the regional endpoint is only for managed identities and for certificates with their chain",
	50033:   "Entra has trouble for the moment",
	90024:   "Entra has trouble for the moment",
	90033:   "Entra has trouble for the moment",
	90055:   "Entra has trouble for the moment",
}

func (e *Error) Error() string {
	why, known := meanings[e.AADSTS]
	switch {
	case known:
	case e.Code() == CodeThrottled:
		why = "Microsoft Entra is throttling requests"
		if e.Wait > 0 {
			why += fmt.Sprintf(" and asks to wait %v", e.Wait)
		}
	case e.Code() == CodeTrouble:
		why = "Microsoft Entra has trouble of its own"
	case e.OAuth != "":
		why = "Microsoft Entra refused with " + e.OAuth
	default:
		why = "Microsoft Entra refused"
	}
	return why + e.details()
}

func (e *Error) details() string {
	details := ""
	if e.AADSTS != 0 {
		details = fmt.Sprintf("AADSTS%d", e.AADSTS)
	} else if e.Status != 0 {
		details = fmt.Sprintf("status %d", e.Status)
	}
	if e.Correlation != "" {
		details += ", correlation id " + e.Correlation
	}
	if details == "" {
		return ""
	}
	return " (" + details + ")"
}

// newError reads a refusal. Only parts of a known form are taken from the body.
func newError(resp *http.Response, body []byte) *Error {
	e := &Error{Status: resp.StatusCode, Wait: guard.RetryAfter(resp)}
	var answer struct {
		Error       string `json:"error"`
		Codes       []int  `json:"error_codes"`
		Description string `json:"error_description"`
		Correlation string `json:"correlation_id"`
		Claims      string `json:"claims"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return e
	}
	told := Refused(answer.Error, answer.Description)
	e.OAuth, e.AADSTS = told.OAuth, told.AADSTS
	if len(answer.Codes) > 0 {
		e.AADSTS = answer.Codes[0]
	}
	if json.Valid([]byte(answer.Claims)) {
		e.Claims = answer.Claims
	}
	if regexp.MustCompile(`^[0-9A-Fa-f-]{8,36}$`).MatchString(answer.Correlation) {
		e.Correlation = answer.Correlation
	}
	return e
}

// Refused makes an Error of the two parameters of a refusal that didn't come as an
// HTTP answer, but through somebody's browser. The description gives its number
// only.
func Refused(name, description string) *Error {
	e := &Error{AADSTS: FindAADSTS(description)}
	if regexp.MustCompile(`^[a-z_]{1,40}$`).MatchString(name) {
		e.OAuth = name
	}
	return e
}

// FindAADSTS finds Microsoft's number in a description; 0 for none.
func FindAADSTS(text string) int {
	found := regexp.MustCompile(`AADSTS(\d{4,9})`).FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	number, _ := strconv.Atoi(found[1])
	return number
}
