package assertion

import (
	"cmp"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
)

// An Error says why there is no proof to show. It never holds a token, nor a word
// of an issuer's answer.
type Error struct {
	why  string
	code string
	// wait is how long an issuer asks to wait.
	wait time.Duration
	// cause is an error of this module's; its text quotes nothing either.
	cause error
}

// Codes of errors.
const (
	CodeMissing     = "assertion-missing"    // no file, an empty one, or nothing configured
	CodeNotToken    = "assertion-not-token"  // something else than a JSON Web Token
	CodeExpired     = "assertion-expired"    // a token that nobody has replaced in time
	CodeIssuerURL   = "assertion-issuer-url" // not an address to show a secret to
	CodeRefused     = "assertion-refused"    // the issuer doesn't accept the job
	CodeConnection  = "assertion-connection" // Azure Pipelines knows no such service connection
	CodeTrouble     = "assertion-trouble"    // the issuer has trouble of its own
	CodeManaged     = "assertion-managed"    // the managed identity that vouches gives no token
	CodeProxy       = "token-proxy"          // a cluster's token proxy is configured wrongly
	CodeCertificate = "certificate"          // not a usable pair of certificate and key
	CodePassword    = "certificate-password" // none, or a wrong one
	CodeOutdated    = "certificate-outdated" // expired, or not valid yet
)

func (e *Error) Error() string {
	if e.cause != nil {
		return e.why + ": " + e.cause.Error()
	}
	return e.why
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Code is what a hint is looked up by: the cause's own, where it has one.
func (e *Error) Code() string {
	return cmp.Or(failure.Code(e.cause), e.code)
}

// RetryAfter is how long an issuer asks to wait; zero if it doesn't say.
func (e *Error) RetryAfter() time.Duration {
	return cmp.Or(failure.RetryAfter(e.cause), e.wait)
}

func unusable(why string) *Error { return &Error{why: why, code: CodeCertificate} }
