package managedidentity

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// dateLayouts are the forms of expires_on in words that endpoints of API version 2017-09-01
// have used, on Windows and Linux; MSAL reads some others, and seconds. (azidentity 0.x,
// expiresOnStringAsSeconds and its issues; msrestazure for Python, issue 141.) A layout
// without a zero also accepts the zero, and without a fraction also a fraction.
var dateLayouts = []string{
	"1/2/2006 15:04:05 Z07:00", "1/2/2006 3:04:05 PM Z07:00", "1/2/2006 15:04:05 PM Z07:00",
	"2006-1-2 15:04:05 Z07:00", "2006-1-2 3:04:05 PM Z07:00", "2006-1-2T15:04:05Z07:00",
	"1/2/2006 15:04:05", "1/2/2006 3:04:05 PM", "2006-1-2 15:04:05", "2006-1-2T15:04:05", // in UTC
	time.RFC1123,
}

// secondsFor rewrites an answer whose expires_on is a date in words, so that it has seconds
// since 1970. Any other answer is returned as it is.
func secondsFor(answer []byte) []byte {
	var fields map[string]json.RawMessage
	var expires string
	if json.Unmarshal(answer, &fields) != nil || json.Unmarshal(fields["expires_on"], &expires) != nil {
		return answer
	}
	expires = strings.TrimSpace(expires)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, expires); err == nil {
			fields["expires_on"] = json.RawMessage(strconv.Quote(strconv.FormatInt(t.Unix(), 10)))
			if rewritten, err := json.Marshal(fields); err == nil {
				return rewritten
			}
		}
	}
	return answer
}
