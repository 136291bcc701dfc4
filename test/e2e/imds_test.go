package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// The tags of two chassis: Azure's (cloud-init, DataSourceAzure.py), and another.
const (
	azureChassis = "7783-7084-3265-9085-8269-3286-77"
	otherChassis = "No Asset Tag"
)

const nobodyHere = "credentials not found in native keychain"

// A virtual machine in Azure gets its token from 169.254.169.254 itself, past any
// proxy. Elsewhere nobody answers there, and the program says so at once; without
// a config it doesn't even ask where firmware or a pod say that it isn't meant.
// The network is one of the test's own, in which that address is free.
func TestIMDS(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	for _, row := range []struct {
		what    string
		chassis string // "" for a config that wants the machine's identity
		arrive  func(*stage)
		says    string // "" for a token
		asked   int    // how often IMDS is
	}{
		{"off Azure", "", func(*stage) {}, "nothing answers at 169.254.169.254", 0},
		{"a mute network", "", func(s *stage) { s.listenAtIMDS() }, "nothing answers at 169.254.169.254", 0},
		{"its own identity", "", func(s *stage) { s.onMachine(true) }, "", 2},
		{"no identity", "", func(s *stage) { s.onMachine(false) }, "knows no managed identity", 2},
		{"by its firmware", azureChassis, func(s *stage) { s.onMachine(true) }, "", 2},
		{"by its firmware, no identity", azureChassis, func(s *stage) { s.onMachine(false) }, nobodyHere, 2},
		{"another's firmware", otherChassis, func(s *stage) { s.onMachine(true) }, nobodyHere, 0},
		{"a pod on it", azureChassis, func(s *stage) {
			s.onMachine(true)
			s.env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
		}, nobodyHere, 0},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t)
			s.env["HTTP_PROXY"] = "http://127.0.0.1:1"
			if row.chassis == "" {
				s.write(filepath.Join(s.home, ".config", program, "config.json"), `{"registries":{"`+host+`":{"identity":"managed-identity"}}}`)
			} else {
				s.chassis(row.chassis)
			}
			row.arrive(s)
			out, err := s.get(host)
			if (err == nil) != (row.says == "") || !strings.Contains(out, row.says) || err == nil && !strings.Contains(out, nullGUID) {
				t.Errorf("%v: %s", err, out)
			}
			if got := s.cloud.Seen(azuretest.KindIMDS); got != row.asked {
				t.Errorf("IMDS was asked %d times, not %d", got, row.asked)
			}
			if got := s.cloud.Seen(azuretest.KindExchange); (got == 1) != (row.says == "") {
				t.Errorf("%d exchanges", got)
			}
		})
	}
}

// onMachine makes this a virtual machine in Azure, with an identity of its own or
// without.
func (s *stage) onMachine(identity bool) {
	s.t.Helper()
	machine := s.cloud.AddMachine()
	if identity {
		id := s.tenant.AddManagedIdentity("")
		machine.Assign(id)
		s.registry.Grant(id, azuretest.AcrPull)
	}
	s.cloud.ServeIMDS(s.listenAtIMDS())
}

// chassis makes Linux show an asset tag until the test ends.
func (s *stage) chassis(tag string) {
	s.t.Helper()
	const class = "/sys/class"
	err := unix.Mount("tmpfs", class, "tmpfs", 0, "")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		missing(s.t, "nothing may be mounted here: "+err.Error())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := unix.Unmount(class, 0); err != nil {
			s.t.Error(err)
		}
	})
	s.write(filepath.Join(class, "dmi/id/chassis_asset_tag"), tag+"\n")
}

// networkVariable says that this process has a network of its own, and where the
// program lies that the process before it has built.
const networkVariable = "ACR_E2E_NETWORK"

// inOwnNetwork runs the test that calls it a second time, in a process which sees
// nothing but a loopback of its own, whose mounts nobody else sees, and says
// whether it is that process.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(networkVariable) != "" {
		loopbackUp(t)
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), networkVariable+"="+bin)
	// Of Go's two ways to a namespace of mounts, unsharing makes it private too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		missing(t, "namespaces of network and mounts may not be made here: "+err.Error())
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// loopbackUp makes a new network usable, and gives it IMDS's address besides its
// own (netdevice(7)).
func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, errUp := unix.NewIfreq("lo")
	second, errAddr := unix.NewIfreq("lo:imds")
	if err := errors.Join(errUp, errAddr); err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	errUp = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
	if err := second.SetInet4Addr([]byte{169, 254, 169, 254}); err != nil {
		t.Fatal(err)
	}
	errAddr = unix.IoctlIfreq(fd, unix.SIOCSIFADDR, second)
	if err := errors.Join(errUp, errAddr); err != nil {
		t.Fatal(err)
	}
}

// listenAtIMDS takes IMDS's own address until the test ends.
func (s *stage) listenAtIMDS() net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", "169.254.169.254:80")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return l
}
