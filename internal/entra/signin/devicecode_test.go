package signin

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// device signs in by a device code that somebody answers after so many polls. It
// returns how long was slept before each poll.
func (s *stage) device(r Request, polls int, answer func(code string)) (slept []time.Duration, result Result, err error) {
	s.t.Helper()
	var shown DeviceCode
	s.client.Sleep = func(ctx context.Context, d time.Duration) error {
		slept = append(slept, d)
		if len(slept) == polls {
			answer(shown.UserCode)
		}
		if len(slept) > 500 {
			return fmt.Errorf("it never ends")
		}
		return s.sleep(ctx, d)
	}
	result, err = s.client.DeviceCode(s.t.Context(), r, func(d DeviceCode) { shown = d })
	if err == nil && (shown.URL != "https://login.microsoft.com/device" || time.Until(shown.Expires) < 14*time.Minute) {
		s.t.Errorf("shown: %+v", shown)
	}
	return slept, result, err
}

func (s *stage) enter(u *azuretest.User, does azuretest.Deed) func(string) {
	return func(code string) {
		if err := s.cloud.EnterCode(code, u, does); err != nil {
			s.t.Error(err)
		}
	}
}

func TestDeviceCode(t *testing.T) {
	const s5 = 5 * time.Second
	for _, row := range []struct {
		what    string
		prepare func(*azuretest.Cloud)
		want    []time.Duration
	}{
		{"the usual interval", func(*azuretest.Cloud) {}, []time.Duration{s5, s5, s5}},
		{"the server's interval", func(c *azuretest.Cloud) { c.PollInterval(3 * time.Second) }, []time.Duration{3 * time.Second, 3 * time.Second, 3 * time.Second}},
		{"none", func(c *azuretest.Cloud) { c.PollInterval(0) }, []time.Duration{s5, s5, s5}},
		{"slow down", func(c *azuretest.Cloud) { c.SlowDown(2) }, []time.Duration{s5, 2 * s5, 3 * s5}},
		{"trouble on the way", func(c *azuretest.Cloud) {
			c.Fault(authorityHost, "/organizations/oauth2/v2.0/token", azuretest.Fault{Times: 1, Status: 500})
		}, []time.Duration{s5, 2 * s5, 2 * s5}},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t)
			row.prepare(s.cloud)
			slept, result, err := s.device(s.request(nil), 3, s.enter(s.ada, azuretest.SignsIn))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(slept, row.want) {
				t.Errorf("slept %v", slept)
			}
			if result.User != "ada@contoso.example" || result.Tenant != s.tenant.ID() || !s.opens(result.Access) {
				t.Errorf("%+v", result)
			}
			if _, _, err := s.silent("", result.Memory); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDeviceCodeRefusals(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(*stage) func(string)
		code string
	}{
		{"declined", func(s *stage) func(string) { return s.enter(s.ada, azuretest.Declines) }, CodeDenied},
		{"nobody comes", func(*stage) func(string) { return func(string) {} }, CodeTimeout},
		{"forgotten", func(s *stage) func(string) {
			return func(string) {
				s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Status: 400, Body: `{"error":"bad_verification_code"}`})
			}
		}, CodeCode},
		{"Conditional Access", func(s *stage) func(string) {
			s.tenant.Block(53003)
			return s.enter(s.ada, azuretest.SignsIn)
		}, "AADSTS53003"},
		{"a code for terminals", func(s *stage) func(string) {
			s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Mutate: func([]byte) []byte {
				return []byte(`{"user_code":"\u001b[2J","device_code":"x","verification_uri":"https://login.microsoft.com/device","expires_in":900}`)
			}})
			return nil
		}, guard.CodeNotJSON},
		{"a redirect", func(s *stage) func(string) {
			return func(string) {
				s.cloud.Fault(authorityHost, "*", azuretest.Fault{Method: "POST", Redirect: "https://evil.example/"})
			}
		}, guard.CodeRedirect},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t)
			_, _, err := s.device(s.request(nil), 2, row.do(s))
			s.hasCode(err, row.code)
		})
	}
}

func TestDeviceCodeIsInterrupted(t *testing.T) {
	s := newStage(t)
	s.client.Sleep = nil // real time
	ctx, stop := context.WithCancel(t.Context())
	begun := time.Now()
	_, err := s.client.DeviceCode(ctx, s.request(nil), func(DeviceCode) { time.AfterFunc(200*time.Millisecond, stop) })
	s.hasCode(err, CodeInterrupted)
	if time.Since(begun) > 3*time.Second {
		t.Error("the interval was slept to its end")
	}
}

func TestDeviceCodeMeetsAChallenge(t *testing.T) {
	s := newStage(t)
	r := s.request(nil)
	claims := s.tenant.StepUp()
	_, _, err := s.device(r, 1, s.enter(s.ada, azuretest.SignsIn))
	s.hasCode(err, "AADSTS50076")
	r.Claims = claims
	if _, _, err := s.device(r, 1, s.enter(s.ada, azuretest.SignsIn)); err != nil {
		t.Error(err)
	}
}

func TestDeviceCodeOfAGuest(t *testing.T) {
	s := newStage(t)
	inviting := s.cloud.AddTenant("", "fabrikam.example")
	inviting.Invite(s.ada)
	r := s.request(nil)
	r.Tenant = inviting.ID()
	_, result, err := s.device(r, 1, s.enter(s.ada, azuretest.SignsIn))
	if err != nil || result.Tenant != inviting.ID() {
		t.Errorf("%v %+v", err, result)
	}
}
