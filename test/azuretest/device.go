package azuretest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A deviceCode is a sign-in that started on a device without a browser.
type deviceCode struct {
	secret   string
	userCode string
	client   string
	policy   string  // satisfied by the request's claims; may be empty
	tenant   *Tenant // nil means the user's home tenant
	created  time.Time
	lastPoll time.Time
	interval time.Duration
	action   PageAction // "" until a user enters the code
	signIn   signIn
}

const (
	deviceCodeLifetime = 15 * time.Minute
	// jitter is the tolerance for network delays between two polls.
	jitter = 500 * time.Millisecond
)

// PollInterval sets the minimum interval between polls for a device code.
func (c *Cloud) PollInterval(d time.Duration) { c.locked(func() { c.signIns.pollInterval = d }) }

// SlowDown responds to the next n polls with slow_down, whatever their interval.
func (c *Cloud) SlowDown(n int) { c.locked(func() { c.signIns.slowDowns = n }) }

// deviceCode is RFC 8628 §3.1 and §3.2.
func (q *entraRequest) deviceCode() {
	if q.r.Method != http.MethodPost || q.r.ParseForm() != nil {
		q.refuse(900561, "")
		return
	}
	form := q.r.PostForm
	client, t, ok := q.publicApp(form)
	if !ok || !q.requireParams(form, "scope") {
		return
	}
	if _, ok := q.resource(form.Get("scope")); !ok {
		return
	}
	policy, ok := policyIn(form.Get("claims"))
	if !ok {
		q.refuse(90100, "", "{parameter}", "claims")
		return
	}
	d := q.cloud.newDeviceCode(client, policy, t)
	uri := q.verificationURI()
	writeJSON(q.w, http.StatusOK, map[string]any{
		"user_code": d.userCode, "device_code": d.secret, "verification_uri": uri,
		"expires_in": int(deviceCodeLifetime / time.Second), "interval": int(d.interval / time.Second),
		"message": "To sign in, use a web browser to open the page " + uri + " and enter the code " + d.userCode +
			" to authenticate.",
	})
}

// verificationURI returns the public cloud's short address, or elsewhere the page's own.
func (q *entraRequest) verificationURI() string {
	if q.authority.hosts[0] == DefaultAuthority {
		return "https://login.microsoft.com/device"
	}
	return "https://" + q.authority.hosts[0] + "/common/oauth2/deviceauth"
}

func (c *Cloud) newDeviceCode(client, policy string, t *Tenant) *deviceCode {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &deviceCode{
		secret: "CAQ" + randomText(150), userCode: rand.Text()[:9], client: client, policy: policy,
		tenant: t, created: c.now(), interval: c.signIns.pollInterval,
	}
	c.signIns.devices[d.secret] = d
	c.canaries.add(d.secret)
	return d
}

// poll is RFC 8628 §3.4 and §3.5.
func (q *entraRequest) poll(form url.Values) {
	client, _, ok := q.publicApp(form)
	if !ok || !q.requireParams(form, "device_code") {
		return
	}
	signIn, code, name := q.cloud.pollDeviceCode(form.Get("device_code"), client)
	if code != 0 {
		q.refuse(code, name)
		return
	}
	if !form.Has("scope") { // RFC 8628 §3.4 has none; Entra remembers it
		form.Set("scope", acrResource+"/.default openid profile offline_access")
	}
	q.sendTokens(signIn, form)
}

func (c *Cloud) pollDeviceCode(secret, client string) (s signIn, code int, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.signIns.devices[secret]
	switch {
	case d == nil:
		return s, 70018, ""
	case !strings.EqualFold(d.client, client):
		return s, 70000, ""
	case c.now().Sub(d.created) >= deviceCodeLifetime:
		return s, 70020, ""
	}
	early := !d.lastPoll.IsZero() && c.now().Sub(d.lastPoll) < d.interval-jitter
	d.lastPoll = c.now()
	if early || c.signIns.slowDowns > 0 {
		c.signIns.slowDowns = max(0, c.signIns.slowDowns-1)
		d.interval += 5 * time.Second
		return s, 70016, "slow_down"
	}
	switch d.action {
	case "":
		return s, 70016, ""
	case SignIn:
		delete(c.signIns.devices, secret)
		return d.signIn, 0, ""
	}
	return s, 65004, "authorization_declined"
}

// waitsAt reports whether a user can enter the code at now.
func (d *deviceCode) waitsAt(now time.Time) bool {
	return d.action == "" && now.Sub(d.created) < deviceCodeLifetime
}

// DeviceCodes returns the user codes that wait for a user, in no particular order.
func (c *Cloud) DeviceCodes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var codes []string
	for _, d := range c.signIns.devices {
		if d.waitsAt(c.now()) {
			codes = append(codes, d.userCode)
		}
	}
	return codes
}

// EnterCode is a user who enters a user code on Entra's page, and signs in or declines there. The page itself isn't
// served. EnterCode returns an error if no device waits for that code.
func (c *Cloud) EnterCode(userCode string, u *User, action PageAction) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.signIns.devices {
		if !d.waitsAt(c.now()) || !strings.EqualFold(d.userCode, strings.TrimSpace(userCode)) {
			continue
		}
		if action == SignIn && u == nil {
			return fmt.Errorf("no user to sign in with code %s", userCode)
		}
		if u != nil {
			account := u.homeAccount()
			if d.tenant != nil {
				if account = d.tenant.accountLocked(u); account == nil {
					return fmt.Errorf("AADSTS50020: %s does not exist in tenant %s", u.upn, d.tenant.id)
				}
			}
			d.signIn = signIn{user: account, client: d.client, at: c.now(), policy: d.policy}
		}
		d.action = action
		return nil
	}
	return fmt.Errorf("no device waits for code %s", userCode)
}
