package exchange

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

// An Error is a registry's refusal: status and code, never the body. (The
// catalogue of answers: Azure/acr docs, "Troubleshoot registry login", and the
// issues that record real ones.)
type Error struct {
	// Status is the HTTP status.
	Status int
	// Client is the address that a firewall refused, as the registry saw it.
	Client string
	// Correlation is what Microsoft's support asks for.
	Correlation string
	// Wait is how long the registry asks to wait.
	Wait time.Duration
	// Password says that a user of the registry's own was refused.
	Password bool
}

// Codes of errors, for hints.
const (
	CodeUnauthorized = "acr-401"
	CodeFirewall     = "acr-firewall"
	CodeDenied       = "acr-403"
	CodeNotFound     = "acr-404"
	CodeTooLarge     = "acr-413"
	CodeThrottled    = "acr-429"
	CodeTrouble      = "acr-5xx"
	CodeOther        = "acr-other"
	CodeExpired      = "acr-expired"
	CodePassword     = "acr-password" // of the registry's own user
)

// Code is what a hint is looked up by.
func (e *Error) Code() string {
	switch {
	case e.Status == http.StatusUnauthorized && e.Password:
		return CodePassword
	case e.Status == http.StatusUnauthorized:
		return CodeUnauthorized
	case e.Status == http.StatusForbidden && e.Client != "":
		return CodeFirewall
	case e.Status == http.StatusForbidden:
		return CodeDenied
	case e.Status == http.StatusNotFound:
		return CodeNotFound
	case e.Status == http.StatusRequestEntityTooLarge:
		return CodeTooLarge
	case e.Status == http.StatusTooManyRequests:
		return CodeThrottled
	case e.Status >= 500:
		return CodeTrouble
	}
	return CodeOther
}

// RetryAfter is how long the registry asks to wait; zero if it doesn't say.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

func (e *Error) Error() string {
	why := fmt.Sprintf("the registry answered with status %d", e.Status)
	switch e.Code() {
	case CodeUnauthorized: // a missing role and a refused audience look alike
		why = "the registry does not let this identity in"
	case CodePassword:
		why = "the registry knows no such user, or another password"
	case CodeFirewall:
		why = "the registry's firewall does not let the address " + e.Client + " in"
	case CodeDenied:
		why = "the registry denies access"
	case CodeNotFound:
		why = "the registry does not know how to exchange tokens"
	case CodeTooLarge:
		why = "the identity's Entra token is too large for the registry"
	case CodeThrottled:
		why = "the registry is throttling requests"
		if e.Wait > 0 {
			why += fmt.Sprintf(" and asks to wait %v", e.Wait)
		}
	case CodeTrouble:
		why = fmt.Sprintf("the registry has trouble of its own (status %d)", e.Status)
	}
	if e.Correlation != "" {
		why += fmt.Sprintf(" (status %d, correlation id %s)", e.Status, e.Correlation)
	}
	return why
}

// newError reads a refusal. Only parts of a known form are taken from the body,
// for a message may quote what was sent.
func newError(resp *http.Response, body []byte) *Error {
	e := &Error{
		Status: resp.StatusCode, Wait: guard.RetryAfter(resp), Correlation: guard.Correlation(resp.Header),
	}
	var envelope struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Errors) == 0 {
		return e
	}
	first := envelope.Errors[0]
	e.Client = find(`client with IP ['"]([0-9A-Fa-f.:]{3,45})['"]`, first.Message)
	if id := find(`CorrelationId: ([0-9A-Fa-f-]{8,36})`, first.Message); id != "" {
		e.Correlation = id
	}
	return e
}

// find returns what a pattern's group matches. Refusals are rare, so the
// pattern is compiled here and not at every start of the program.
func find(pattern, text string) string {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return found[1]
}
