package azuretest

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A reply says where and how an application wants its answer.
type reply struct{ uri, mode, state string }

// send answers the application through the browser: by a redirect, or by a form
// that submits itself (OAuth 2.0 Form Post Response Mode).
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
	form.WriteString(`<noscript><p>Script is disabled. Click Submit to continue.</p><input type="submit" value="Submit" /></noscript></form>` +
		`<script language="javascript">document.forms[0].submit();</script>`)
	q.page("Working...", form.String())
}

// sendError tells the application why there is no code. name replaces the error's
// own.
func (q *entraRequest) sendError(to reply, code int, name string, pairs ...string) {
	body := q.errorBody(code, pairs...)
	if name != "" {
		body.Error = name
	}
	q.send(to, url.Values{"error": {body.Error}, "error_description": {body.Description}, "error_uri": {body.URI}})
}

// explain shows the person what is wrong, and nobody else.
func (q *entraRequest) explain(code int, pairs ...string) bool {
	body := q.errorBody(code, pairs...)
	q.page("Sign in to your account", "<h1>Sorry, but we’re having trouble signing you in.</h1><p>"+html.EscapeString(body.Description)+"</p>")
	return false
}

func (q *entraRequest) errorBody(code int, pairs ...string) entraError {
	_, body := newEntraError(code, q.authority.hosts[0], q.trace, q.correlation(), q.cloud.Now(), append(pairs, "{tenant}", q.tenant)...)
	note(q.r, "AADSTS"+strconv.Itoa(code))
	return body
}

// page writes one of Entra's pages.
func (q *entraRequest) page(title, content string) {
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.Header().Set("X-Frame-Options", "DENY")
	q.w.Header().Set("Referrer-Policy", "strict-origin-when-cross-origin")
	fmt.Fprintf(q.w, "<!DOCTYPE html>\n<html><head><title>%s</title></head><body>%s</body></html>\n", title, content)
}

// chooser has a button for everybody who may sign in. Its form goes to the page's
// own address, so that nothing has to be kept in between.
func chooser(users []*User, extra ...string) string {
	var b strings.Builder
	for _, u := range users {
		name := html.EscapeString(u.upn)
		b.WriteString(`<form method="post">` + strings.Join(extra, "") + `<input type="hidden" name="user" value="` + name + `">`)
		fmt.Fprintf(&b, `<button name="does" value="%s">Sign in as %s</button>`, SignsIn, name)
		fmt.Fprintf(&b, `<button name="does" value="%s">Decline as %s</button></form>`, Declines, name)
	}
	fmt.Fprintf(&b, `<form method="post">%s<button name="does" value="%s">Cancel</button></form>`, strings.Join(extra, ""), Cancels)
	return b.String()
}
