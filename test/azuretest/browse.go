package azuretest

import (
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Browse is a browser without a screen, for opening what a program under test
// would open in a real one: it follows redirects and forms that submit themselves,
// to this cloud and to loopback, and returns the last page. At a page of buttons
// it presses u's own; a nil u leaves it there.
func (c *Cloud) Browse(address string, u *User) (page string, err error) {
	transport := c.Transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &browserTransport{transport, &http.Transport{DisableKeepAlives: true}}}
	resp, err := client.Get(address)
	for range 10 {
		if err != nil {
			return "", fmt.Errorf("browsing: %w", err)
		}
		page, err = readPage(resp)
		if err != nil {
			return "", err
		}
		action, values, found := nextForm(page, u)
		if !found {
			return page, nil
		}
		next, err := resp.Request.URL.Parse(action)
		if err != nil {
			return "", fmt.Errorf("browsing: %w", err)
		}
		if resp, err = client.PostForm(next.String(), values); err != nil {
			return "", fmt.Errorf("browsing: %w", err)
		}
	}
	return "", fmt.Errorf("browsing: the pages never end")
}

func readPage(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return string(content), err
}

// browserTransport sends what is for loopback there, and all else to the cloud.
type browserTransport struct{ cloud, local http.RoundTripper }

func (b *browserTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return b.local.RoundTrip(r)
	}
	return b.cloud.RoundTrip(r)
}

// nextForm finds what a person, or the page's own script, would submit next. It
// knows the pages of this package only.
func nextForm(page string, u *User) (action string, values url.Values, found bool) {
	for _, form := range regexp.MustCompile(`(?s)<form (.*?)</form>`).FindAllString(page, -1) {
		values := url.Values{}
		for _, input := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
			values.Set(input[1], html.UnescapeString(input[2]))
		}
		if to := regexp.MustCompile(`name="hiddenform" action="([^"]*)"`).FindStringSubmatch(form); to != nil {
			return html.UnescapeString(to[1]), values, true
		}
		if u != nil && strings.EqualFold(values.Get("user"), u.upn) {
			values.Set("does", string(SignsIn))
			return "", values, true
		}
	}
	return "", nil, false
}
