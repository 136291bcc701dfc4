package door

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strings"
)

const style = `body{font:1.1em system-ui,sans-serif;max-width:34em;margin:20vh auto;padding:0 1em;color-scheme:light dark}`

const page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>` + style + `</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
`

// headers let the page do nothing but be read: it loads nothing, sends nothing
// on, and isn't kept, for its address may hold a code.
func headers(h http.Header) {
	sum := sha256.Sum256([]byte(style))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func turnAway(w http.ResponseWriter, status int) {
	say(w, status, http.StatusText(status), "Nothing is to be had here.")
}

// report is the last page. Errors of this program hold no text of a server's.
func report(w http.ResponseWriter, outcome error) {
	if outcome == nil {
		say(w, http.StatusOK, "You are signed in.", "This window can be closed.")
		return
	}
	say(w, http.StatusBadRequest, "You are not signed in.", "The reason: "+outcome.Error()+". The terminal says what to do.")
}

func say(w http.ResponseWriter, status int, title, text string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.NewReplacer("{title}", html.EscapeString(title), "{text}", html.EscapeString(text)).Replace(page))
}
