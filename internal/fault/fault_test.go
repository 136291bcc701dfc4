package fault

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestError(t *testing.T) {
	for _, row := range []struct {
		err  Error
		want string
	}{
		{Error{Code: Timeout, Subject: "contoso.azurecr.io"}, "contoso.azurecr.io did not respond in time"},
		{Error{Code: Timeout, Subject: "az", Reason: "did not respond within 10s"}, "az did not respond within 10s"},
		{Error{Code: RegistryUnauthorized, Status: 401}, "the registry does not accept this identity (HTTP 401)"},
		{
			Error{Code: RegistryDenied, Status: 403, CorrelationID: "c0ffee"},
			"the registry denies access (HTTP 403, correlation ID c0ffee)",
		},
		{
			Error{Code: EntraThrottled, Status: 429, RetryAfter: time.Minute},
			"Microsoft Entra ID is throttling requests (HTTP 429, retry after 1m0s)",
		},
		{
			Error{Code: "AADSTS7000215", Status: 401, CorrelationID: "c0ffee"},
			"the client secret is wrong (AADSTS7000215, correlation ID c0ffee)",
		},
		{Error{Code: "AADSTS99999"}, "Microsoft Entra ID refused the sign-in (AADSTS99999)"},
		{Error{Code: Config, Reason: "x", Cause: errors.New("not printed")}, "x"},
	} {
		if got := row.err.Error(); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	locked := New(KeyringLocked, "locked")
	sealed := fmt.Errorf("get: %w", &Error{Code: LoginKeyring, Cause: locked})
	if CodeOf(sealed) != LoginKeyring || CodeOf(errors.New("x")) != "" || CodeOf(nil) != "" {
		t.Errorf("CodeOf: %s, %s, %s", CodeOf(sealed), CodeOf(errors.New("x")), CodeOf(nil))
	}
	if !Is(sealed, Busy, LoginKeyring) || Is(sealed, KeyringLocked) || Is(nil, LoginKeyring) {
		t.Error("Is looks at the outermost code")
	}
	if !Has(sealed, KeyringLocked) || !Has(sealed, LoginKeyring) || Has(sealed, Busy) {
		t.Error("Has looks at all codes")
	}
}
