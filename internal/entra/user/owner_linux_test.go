package user

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
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

// TestIsOwn_of_a_closed_socket has a client that sent its request and reset the connection, so that the system no longer
// knows whose it was.
func TestIsOwn_of_a_closed_socket(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	r := (&http.Request{RemoteAddr: "127.0.0.1:1"}).WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, l.Addr()))
	if own, known := isOwn(r); own || !known {
		t.Errorf("own %t, known %t", own, known)
	}
}

// TestLoopback_while_another_program_holds_all_ports is in a network of its own, which has few ports. With one address
// alone, the other program would get the browser's request.
func TestLoopback_while_another_program_holds_all_ports(t *testing.T) {
	const inside = "IN_OWN_NETWORK"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(must(os.Executable()), "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=true")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		out, err := cmd.CombinedOutput()
		switch {
		case errors.Is(err, unix.EPERM):
			t.Skip("only root can make a network")
		case err != nil, !strings.Contains(string(out), "--- PASS: "+t.Name()):
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	const first, last = 40000, 40009
	setUp(t, "lo")
	content := fmt.Appendf(nil, "%d %d", first, last)
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", content, 0); err != nil {
		t.Fatal(err)
	}
	for port := first; port <= last; port++ {
		l := must(net.Listen("tcp", fmt.Sprintf("[::1]:%d", port)))
		defer l.Close()
	}
	if listeners, err := loopback(t.Context()); err == nil {
		t.Errorf("it listens at %v", listeners[0].Addr())
	}
}

// setUp starts a network interface (netdevice(7)).
func setUp(t *testing.T, name string) {
	t.Helper()
	fd := must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
	defer unix.Close(fd)
	request := must(unix.NewIfreq(name))
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatal(err)
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
