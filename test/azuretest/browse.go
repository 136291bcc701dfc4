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

// Browse is a headless browser, for addresses that a program under test opens. It follows redirects and forms that
// submit themselves, to this cloud and to loopback, signs in as u on the account picker, and returns the last page.
// With a nil u it stops at the account picker.
func (c *Cloud) Browse(address string, u *User) (page string, err error) {
	transport := c.Transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Timeout:   30 * time.Second,
		Transport: &browserTransport{transport, &http.Transport{DisableKeepAlives: true}},
	}
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
	return "", fmt.Errorf("browsing: too many pages")
}

func readPage(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return string(content), err
}

// browserTransport sends requests for loopback there, and all others to the cloud.
type browserTransport struct{ cloud, local http.RoundTripper }

func (b *browserTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return b.local.RoundTrip(r)
	}
	return b.cloud.RoundTrip(r)
}

// nextForm returns the form that the user or the page's script submits. It understands this package's pages only.
func nextForm(page string, u *User) (action string, values url.Values, found bool) {
	forms := regexp.MustCompile(`(?s)<form (.*?)</form>`)
	inputs := regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	target := regexp.MustCompile(`name="hiddenform" action="([^"]*)"`)
	for _, form := range forms.FindAllString(page, -1) {
		values := url.Values{}
		for _, input := range inputs.FindAllStringSubmatch(form, -1) {
			values.Set(input[1], html.UnescapeString(input[2]))
		}
		if to := target.FindStringSubmatch(form); to != nil {
			return html.UnescapeString(to[1]), values, true
		}
		if u != nil && strings.EqualFold(values.Get("user"), u.upn) {
			values.Set("action", string(SignIn))
			return "", values, true
		}
	}
	return "", nil, false
}
