package azuretest

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A reply is where and how an application wants its response.
type reply struct{ uri, mode, state string }

// send responds to the application through the browser: by a redirect, or by a form that submits itself (OAuth 2.0
// Form Post Response Mode).
func (q *entraRequest) send(to reply, values url.Values) {
	if to.state != "" {
		values.Set("state", to.state)
	}
	if to.mode != "form_post" {
		q.w.Header().Set("Location", to.uri+"?"+values.Encode())
		q.w.WriteHeader(http.StatusFound)
		return
	}
	var form strings.Builder
	fmt.Fprintf(&form, `<form method="POST" name="hiddenform" action="%s">`, html.EscapeString(to.uri))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&form, `<input type="hidden" name="%s" value="%s" />`, name, html.EscapeString(values.Get(name)))
	}
	form.WriteString(`<noscript><p>Script is disabled. Click Submit to continue.</p>` +
		`<input type="submit" value="Submit" /></noscript></form>` +
		`<script language="javascript">document.forms[0].submit();</script>`)
	q.page("Working...", form.String())
}

// sendError sends an AADSTS error to the application. name replaces the error's own name, unless it is empty.
func (q *entraRequest) sendError(to reply, code int, name string, pairs ...string) {
	_, body := q.newError(code, pairs...)
	if name != "" {
		body.Error = name
	}
	q.send(to, url.Values{
		"error": {body.Error}, "error_description": {body.Description}, "error_uri": {body.URI},
	})
}

// showError shows an AADSTS error to the user only, and returns false.
func (q *entraRequest) showError(code int, pairs ...string) bool {
	_, body := q.newError(code, pairs...)
	q.page("Sign in to your account", "<h1>Sorry, but we’re having trouble signing you in.</h1><p>"+
		html.EscapeString(body.Description)+"</p>")
	return false
}

// page sends one of Entra's pages.
func (q *entraRequest) page(title, content string) {
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.Header().Set("X-Frame-Options", "DENY")
	q.w.Header().Set("Referrer-Policy", "strict-origin-when-cross-origin")
	fmt.Fprintf(q.w, "<!DOCTYPE html>\n<html><head><title>%s</title></head><body>%s</body></html>\n", title, content)
}

// accountPicker returns a form for each user. The forms post to the page's own address, so that no state is needed.
func accountPicker(users []*User) string {
	var b strings.Builder
	for _, u := range users {
		name := html.EscapeString(u.upn)
		fmt.Fprintf(&b, `<form method="post"><input type="hidden" name="user" value="%s">`, name)
		fmt.Fprintf(&b, `<button name="action" value="%s">Sign in as %s</button>`, SignIn, name)
		fmt.Fprintf(&b, `<button name="action" value="%s">Decline as %s</button></form>`, Decline, name)
	}
	fmt.Fprintf(&b, `<form method="post"><button name="action" value="%s">Cancel</button></form>`, Cancel)
	return b.String()
}
