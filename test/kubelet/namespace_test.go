package kubelet

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespaceVar is set in the process that has its own network, mounts and user, and so keyrings. Its value is the
// directory of the built program.
const namespaceVar = "KUBELET_NAMESPACE"

// inOwnNamespace reports whether this process has namespaces of its own, with nothing in /var/lib and /run. If not, it
// runs the calling test in such a process.
func inOwnNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceVar) != "" {
		prepareNamespace(t)
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), namespaceVar+"="+binDir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
		Unshareflags: syscall.CLONE_NEWNS, // with this flag, os/exec makes the mounts private as well
		UidMappings:  []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings:  []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("user, network and mount namespaces are not permitted: " + err.Error())
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// prepareNamespace starts the loopback interface, adds IMDS's address to it (netdevice(7)), and empties the directories
// in which the program stores what it learns for kubelet.
func prepareNamespace(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/var/lib", "/run"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			t.Fatal(dir, err)
		}
	}
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

// refuseKeyctl makes the kernel answer EPERM to the system calls of keyrings, for this process and its children
// (seccomp(2)), as the default filter of container runtimes does.
func refuseKeyctl() error {
	calls := []uint32{unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL}
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the number of the call
	for i, call := range calls {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: uint8(len(calls) - i)})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const allThreads = unix.SECCOMP_FILTER_FLAG_TSYNC
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, allThreads, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	return nil
}
