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

// The asset tags of an Azure VM's chassis (cloud-init, DataSourceAzure.py) and of another computer's.
const (
	azureChassis = "7783-7084-3265-9085-8269-3286-77"
	otherChassis = "No Asset Tag"
)

const notFound = "credentials not found in native keychain"

// TestIMDS: an Azure VM gets its token from 169.254.169.254, without a proxy. On other computers that address does not
// answer, and the program fails soon. Without a config file it sends no request there if the firmware or a pod says
// that the managed identity is not the user's. The test needs its own network, in which that address is free.
func TestIMDS(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	for _, row := range []struct {
		name     string
		chassis  string // "" for a config file that selects the managed identity
		prepare  func(*fixture)
		err      string // "" for a token
		requests int    // to IMDS
	}{
		{"no address", "", func(*fixture) {}, "169.254.169.254 does not respond", 0},
		{"no answer", "", func(f *fixture) { f.listenAtIMDS() }, "169.254.169.254 did not respond in time", 0},
		{"configured", "", func(f *fixture) { f.startIMDS(true) }, "", 1},
		{
			"configured, no identity", "", func(f *fixture) { f.startIMDS(false) },
			"the managed identity endpoint (IMDS) has no managed identity (HTTP 400)", 1,
		},
		{"detected", azureChassis, func(f *fixture) { f.startIMDS(true) }, "", 2},
		{"detected, no identity", azureChassis, func(f *fixture) { f.startIMDS(false) }, notFound, 2},
		{"other chassis", otherChassis, func(f *fixture) { f.startIMDS(true) }, notFound, 0},
		{"pod", azureChassis, func(f *fixture) {
			f.startIMDS(true)
			f.env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
		}, notFound, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			f.env["HTTP_PROXY"] = "http://127.0.0.1:1"
			if row.chassis == "" {
				f.write(filepath.Join(f.home, ".config", program, "config.json"),
					`{"registries":{"`+host+`":{"identity":"managed-identity"}}}`)
			} else {
				f.setChassis(row.chassis)
			}
			row.prepare(f)
			out, err := f.get(host)
			if (err == nil) != (row.err == "") || !strings.Contains(out, row.err) ||
				err == nil && !strings.Contains(out, nullGUID) {
				t.Errorf("%v: %s", err, out)
			}
			if got := f.cloud.Seen(azuretest.KindIMDS); got != row.requests {
				t.Errorf("IMDS received %d requests, not %d", got, row.requests)
			}
			if got := f.cloud.Seen(azuretest.KindExchange); (got == 1) != (row.err == "") {
				t.Errorf("%d exchanges", got)
			}
		})
	}
}

// startIMDS makes the computer an Azure VM, with or without a managed identity.
func (f *fixture) startIMDS(hasIdentity bool) {
	f.t.Helper()
	vm := f.cloud.AddManagedIdentityHost()
	if hasIdentity {
		id := f.tenant.AddManagedIdentity("")
		vm.Assign(id)
		f.registry.Grant(id, azuretest.AcrPull)
	}
	f.cloud.ServeIMDS(f.listenAtIMDS())
}

// listenAtIMDS listens at IMDS's address until the test ends.
func (f *fixture) listenAtIMDS() net.Listener {
	f.t.Helper()
	l, err := net.Listen("tcp", "169.254.169.254:80")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close() })
	return l
}

// setChassis changes the asset tag that Linux shows until the test ends.
func (f *fixture) setChassis(tag string) {
	f.t.Helper()
	const class = "/sys/class"
	err := unix.Mount("tmpfs", class, "tmpfs", 0, "")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		skipOrFail(f.t, "mounts are not permitted: "+err.Error())
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := unix.Unmount(class, 0); err != nil {
			f.t.Error(err)
		}
	})
	f.write(filepath.Join(class, "dmi/id/chassis_asset_tag"), tag+"\n")
}

// namespaceVar is set in the process that has its own network. Its value is the directory of the built program.
const namespaceVar = "ACR_E2E_NAMESPACE"

// inOwnNetwork reports whether this process has its own network (a loopback interface) and its own mounts. If not, it
// runs the calling test in such a process.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceVar) != "" {
		startLoopback(t)
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), namespaceVar+"="+bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWNS, // with this flag, os/exec makes the mounts private as well
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		skipOrFail(t, "network and mount namespaces are not permitted: "+err.Error())
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// startLoopback starts the loopback interface and adds IMDS's address to it (netdevice(7)).
func startLoopback(t *testing.T) {
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
