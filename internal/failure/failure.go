// Package failure reads what errors say of themselves beyond their text. Packages give
// their failures a code, for package hint to say what to do and for scripts to compare;
// failures of servers may ask to wait.
package failure

import (
	"errors"
	"time"
)

// Code is the code of an error or of its causes; "" for none.
func Code(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return ""
}

// RetryAfter is how long an error or its causes ask to wait; zero for not at all.
func RetryAfter(err error) time.Duration {
	var patient interface{ RetryAfter() time.Duration }
	if errors.As(err, &patient) {
		return patient.RetryAfter()
	}
	return 0
}
