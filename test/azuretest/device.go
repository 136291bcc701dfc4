package azuretest

import (
	"crypto/rand"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A deviceCode is a sign-in that began on a machine without a browser.
type deviceCode struct {
	secret   string
	userCode string
	client   string
	claims   string
	tenant   *Tenant // nil: that of who signs in
	begun    time.Time
	polled   time.Time
	interval time.Duration
	done     Deed // "" while nobody has answered
	signIn   signIn
}

const (
	deviceLife = 15 * time.Minute
	// jitter is what two requests may take differently on their way.
	jitter = 500 * time.Millisecond
)

// PollInterval sets how many seconds apart polls for a device code must be.
func (c *Cloud) PollInterval(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people.interval = d
}

// SlowDown tells the next n polls to slow down, whatever their pace.
func (c *Cloud) SlowDown(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people.slowDowns = n
}

// deviceCode is RFC 8628 §3.1 and §3.2.
func (q *entraRequest) deviceCode() {
	if q.r.Method != http.MethodPost || q.r.ParseForm() != nil {
		q.refuse(900561, "")
		return
	}
	form := q.r.PostForm
	client, t, ok := q.publicApp(form)
	if !ok || !q.all(form, "scope") {
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
	d := q.cloud.newDevice(client, policy, t)
	where := q.verificationURI()
	writeJSON(q.w, http.StatusOK, map[string]any{
		"user_code": d.userCode, "device_code": d.secret, "verification_uri": where,
		"expires_in": int(deviceLife / time.Second), "interval": int(d.interval / time.Second),
		"message": fmt.Sprintf("To sign in, use a web browser to open the page %s and enter the code %s to authenticate.", where, d.userCode),
	})
}

// verificationURI is the short address that the public cloud has, and the page's
// own elsewhere.
func (q *entraRequest) verificationURI() string {
	if q.authority.hosts[0] == DefaultAuthority {
		return "https://login.microsoft.com/device"
	}
	return "https://" + q.authority.hosts[0] + "/common/oauth2/deviceauth"
}

func (c *Cloud) newDevice(client, policy string, t *Tenant) *deviceCode {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &deviceCode{
		secret: "CAQ" + randomText(150), userCode: rand.Text()[:9], client: client, claims: policy,
		tenant: t, begun: c.now(), interval: c.people.interval,
	}
	c.people.devices[d.secret] = d
	c.canaries.add(d.secret)
	return d
}

// poll is RFC 8628 §3.4 and §3.5.
func (q *entraRequest) poll(form url.Values) {
	client, _, ok := q.publicApp(form)
	if !ok || !q.all(form, "device_code") {
		return
	}
	signIn, code, name := q.cloud.pollDevice(form.Get("device_code"), client)
	if code != 0 {
		q.refuse(code, name)
		return
	}
	if !form.Has("scope") { // RFC 8628 §3.4 has none; Entra remembers it
		form.Set("scope", acrResource+"/.default openid profile offline_access")
	}
	q.sendTokens(signIn, form)
}

func (c *Cloud) pollDevice(secret, client string) (s signIn, code int, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.people.devices[secret]
	switch {
	case d == nil:
		return s, 70018, ""
	case !strings.EqualFold(d.client, client):
		return s, 70000, ""
	case c.now().Sub(d.begun) >= deviceLife:
		return s, 70020, ""
	}
	early := !d.polled.IsZero() && c.now().Sub(d.polled) < d.interval-jitter
	d.polled = c.now()
	if early || c.people.slowDowns > 0 {
		c.people.slowDowns = max(0, c.people.slowDowns-1)
		d.interval += 5 * time.Second
		return s, 70016, "slow_down"
	}
	switch d.done {
	case "":
		return s, 70016, ""
	case SignsIn:
		delete(c.people.devices, secret)
		return d.signIn, 0, ""
	}
	return s, 65004, "authorization_declined"
}

// DeviceCodes are the user codes that wait for somebody, in no order.
func (c *Cloud) DeviceCodes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	codes := []string{}
	for _, d := range c.people.devices {
		if d.done == "" && c.now().Sub(d.begun) < deviceLife {
			codes = append(codes, d.userCode)
		}
	}
	return codes
}

// EnterCode is a person who types a device's user code on Entra's page and signs
// in there, or declines. It is an error when nothing waits under that code.
func (c *Cloud) EnterCode(userCode string, u *User, does Deed) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.people.devices {
		if d.done != "" || !strings.EqualFold(d.userCode, strings.TrimSpace(userCode)) || c.now().Sub(d.begun) >= deviceLife {
			continue
		}
		if does == SignsIn && u == nil {
			return fmt.Errorf("nobody to sign in with code %s", userCode)
		}
		if u != nil {
			d.signIn = signIn{user: u.self(), client: d.client, at: c.now(), met: d.claims}
		}
		if u != nil && d.tenant != nil && d.tenant != u.self().tenant {
			if d.signIn.user = d.tenant.guest(u); d.signIn.user == nil {
				return fmt.Errorf("AADSTS50020: %s does not exist in tenant %s", u.upn, d.tenant.id)
			}
		}
		d.done = does
		return nil
	}
	return fmt.Errorf("nothing waits for code %s", userCode)
}

// guest is how the tenant knows a person of another one; mu is held.
func (t *Tenant) guest(u *User) *User {
	for _, p := range t.principals {
		if known, ok := p.(*User); ok && known.self() == u.self() {
			return known
		}
	}
	return nil
}

// devicePage is where the person goes with the user code.
func (q *entraRequest) devicePage() {
	q.r.ParseForm()
	code := q.r.PostForm.Get("otc")
	who, does := q.answered(nil)
	switch {
	case q.r.Method != http.MethodPost || code == "":
		q.page("Sign in to your account", `<form method="post"><p>Enter code</p><input name="otc"><button>Next</button></form>`)
	case who == nil && does == "":
		q.page("Sign in to your account", chooser(q.cloud.residents(q.authority, nil), `<input type="hidden" name="otc" value="`+html.EscapeString(code)+`">`))
	default:
		if err := q.cloud.EnterCode(code, who, does); err != nil {
			q.page("Sign in to your account", "<h1>That code didn’t work.</h1><p>"+html.EscapeString(err.Error())+"</p>")
			return
		}
		q.page("Sign in to your account", "<p>You have answered for the application on your device. You may now close this window.</p>")
	}
}
