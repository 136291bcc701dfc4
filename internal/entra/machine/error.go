package machine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// An Error says why an endpoint gave no token, without a word of its answer.
type Error struct {
	Endpoint identity.Endpoint
	// Status is the HTTP status; 0 where there was no answer.
	Status int
	// Why continues a sentence that begins with the endpoint.
	Why string
	// Hint is one of the codes below.
	Hint string
	// Wait is how long to wait before it makes sense to ask again; 0 for not known.
	Wait time.Duration
}

// Codes of errors.
const (
	CodeNoIMDS            = "machine-no-imds"   // nothing answers: not a machine of Azure's
	CodeNoIdentity        = "machine-none"      // the machine hasn't this identity, or any
	CodeSeveralIdentities = "machine-several"   // it has several, and none was chosen
	CodeSelector          = "machine-selector"  // it can't be asked for an identity in this way
	CodeMismatch          = "machine-mismatch"  // MSAL sees another endpoint
	CodeVariable          = "machine-variable"  // the environment's address can't be used
	CodeKeyFile           = "machine-key-file"  // Arc's key can't be read
	CodePin               = "machine-pin"       // Service Fabric's certificate is another
	CodeTransport         = "machine-transport" // Service Fabric's can't be checked
	CodeThrottled         = "machine-429"
	CodeTrouble           = "machine-5xx" // updating, or trouble of its own
	CodeOther             = "machine-other"
)

func (e *Error) Error() string {
	text := fmt.Sprintf("the identity endpoint (%s) %s", e.Endpoint, e.Why)
	if e.Status != 0 {
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	return text
}

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// RetryAfter is how long to wait before it makes sense to ask again; zero if not
// known.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// refusals finds the reason of a 4xx in its text, in this order. The words are
// those of IMDS, App Service (today's and older ones) and Service Fabric.
var refusals = []struct {
	words     *regexp.Regexp
	why, hint string
}{
	{
		regexp.MustCompile(`(?i)multiple user.assigned identities`),
		"knows several managed identities, and none of them was chosen", CodeSeveralIdentities,
	},
	{
		regexp.MustCompile(`(?i)identity ?not ?found|no [a-z ]*(managed identity|msi) found|unable to load the proper managed identity`),
		"knows no managed identity", CodeNoIdentity,
	},
}

// newError reads a refusal. Nothing of the body is kept but a number of Entra's.
func newError(id identity.Identity, resp *http.Response, body []byte) error {
	e := &Error{Endpoint: id.Endpoint, Status: resp.StatusCode, Wait: guard.RetryAfter(resp)}
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		e.Why, e.Hint = "is throttling requests", CodeThrottled
		if e.Wait > 0 {
			e.Why += fmt.Sprintf(" and asks to wait %v", e.Wait)
		}
		return e
	case status >= 500, id.Endpoint == identity.IMDS && (status == http.StatusNotFound || status == http.StatusGone):
		e.Why, e.Hint = "is being updated or has trouble of its own", CodeTrouble
		return e
	}
	for _, r := range refusals {
		if r.words.Match(body) {
			e.Why, e.Hint = r.why, r.hint
			if r.hint == CodeNoIdentity {
				e.Why += withID(id)
			}
			return e
		}
	}
	if number := authority.FindAADSTS(string(body)); number != 0 { // Entra's own refusal, passed on
		return &authority.Error{Status: resp.StatusCode, AADSTS: number}
	}
	e.Why, e.Hint = "refused", CodeOther
	return e
}

// withID names the identity that was asked for; "" for the machine's own.
func withID(id identity.Identity) string {
	switch {
	case id.ClientID != "":
		return " with client id " + id.ClientID
	case id.ObjectID != "":
		return " with object id " + id.ObjectID
	case id.ResourceID != "":
		return " with resource id " + id.ResourceID
	}
	return ""
}

// Nobody says whether a machine turned out to have no identity that could be meant,
// which is nobody where nobody asked for one.
func Nobody(err error) bool {
	return slices.Contains([]string{CodeNoIMDS, CodeNoIdentity, CodeSeveralIdentities}, failure.Code(err))
}

// translate keeps MSAL's own texts away from people: they quote whole bodies.
func (m *messenger) translate(ctx context.Context, err error) error {
	var ours interface {
		error
		Code() string
	}
	if errors.As(err, &ours) { // an Error, guard's or authority's; MSAL's have no code
		return ours
	}
	if ctx.Err() != nil {
		return guard.Explain(m.address.Host, ctx.Err())
	}
	if m.realm != "" {
		return m.keyTrouble()
	}
	return &Error{Endpoint: m.id.Endpoint, Why: "answered in a way that can't be believed", Hint: CodeOther}
}
