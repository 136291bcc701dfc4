//go:build !linux

package user

import "net/http"

// isOwn would report whether a request comes from a process of this user, which this
// system doesn't tell.
func isOwn(*http.Request) (own, known bool) { return false, false }
