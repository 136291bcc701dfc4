package user

import (
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCallback_ServeHTTP_refuses_other_users has another user of this computer who knows the start address and the state,
// as from the arguments of the program that opens the browser.
func TestCallback_ServeHTTP_refuses_other_users(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act as another user")
	}
	s := must(listen(t.Context()))
	defer s.close(nil)
	page := "https://login.microsoftonline.com/page"
	s.page.Store(&page)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		if l, err := net.Listen("tcp", host+":0"); err != nil {
			continue
		} else {
			l.Close()
		}
		address := strings.Replace(s.address, "localhost", host, 1)
		for _, target := range []string{s.start, "/?code=x&state=" + s.state, "/?error=access_denied&state=" + s.state} {
			if got := getAs(t, 64999, address+target); got.status != http.StatusForbidden || strings.Contains(got.text, page) {
				t.Errorf("%s%s: %+v", host, target, got)
			}
		}
		if got := signInPage(t, address+s.start); got != page {
			t.Errorf("%s: the user gets %q", host, got)
		}
	}
	if len(s.results) > 0 {
		t.Errorf("the other user ended the sign-in: %+v", <-s.results)
	}
}

// getAs sends a request from a socket of another user: a socket belongs to the file system user of the thread that made it.
func getAs(t *testing.T, uid int, address string) received {
	t.Helper()
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := unix.Setfsuid(uid); err != nil {
				return nil, err
			}
			defer unix.Setfsuid(0)
			return net.Dial(network, addr)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return read(client.Get(address))
}
