package devtool

import (
	"testing"
	"time"
)

func TestParseAzureCLI(t *testing.T) {
	local := time.Date(2026, 11, 21, 21, 30, 26, 0, time.Local)
	for _, row := range []struct {
		answer  string
		expires time.Time // zero: refused
	}{
		// az 2.45: local time without a zone
		{`{"accessToken":"x","expiresOn":"2026-11-21 21:30:26.000000","tenant":"t"}`, local},
		// az 2.54
		{
			`{"accessToken":"x","expiresOn":"2020-01-01 00:00:00.000000","expires_on":1795296626}`,
			time.Unix(1795296626, 0),
		},
		{`{"accessToken":"x","expires_on":"1795296626"}`, time.Unix(1795296626, 0)},
		{`{"accessToken":"x","expires_on":1795296626.5}`, time.Time{}},
		{`{"accessToken":"x","expires_on":"soon","expiresOn":"2026-11-21 21:30:26.000000"}`, time.Time{}},
		{`{"accessToken":"x","expires_on":1e300}`, time.Time{}},
		{`{"accessToken":"x","expiresOn":"2026-11-21T21:30:26+00:00"}`, time.Unix(1795296626, 0)},
		{`{"accessToken":"","expires_on":1795296626}`, time.Time{}},
		{`{"accessToken":"x"}`, time.Time{}},
		{`{"accessToken":"x","expiresOn":"tomorrow"}`, time.Time{}},
		{`WARNING: {"accessToken":"x","expires_on":1795296626}`, time.Unix(1795296626, 0)},
		{`{"accessToken":"x","expires_on":`, time.Time{}},
		{``, time.Time{}},
	} {
		got, err := parseAzureCLI([]byte(row.answer), "")
		isToken := err == nil && got.token != ""
		if row.expires.IsZero() == isToken || isToken && !got.expires.Equal(row.expires) {
			t.Errorf("%s: %v, %v", row.answer, got.expires, err)
		}
	}
}
