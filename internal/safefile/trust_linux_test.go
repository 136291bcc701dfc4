package safefile

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// readAs is ReadTrusted for another user.
func readAs(uid int, path string) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		if unix.Gettid() == os.Getpid() {
			result <- readAs(uid, path) // the first thread's user is the process's for many programs
			runtime.UnlockOSThread()
			return
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			result <- errno
			return
		}
		_, err := ReadTrusted(path, 10)
		result <- err
	}()
	return <-result
}

// giveAccess adds a user to the access list of a directory (acl(5); linux/posix_acl_xattr.h).
func giveAccess(t *testing.T, dir string, uid uint32) {
	t.Helper()
	list := binary.LittleEndian.AppendUint32(nil, 2) // the version
	for _, entry := range []struct {
		tag, permissions uint16
		id               uint32
	}{{1, 7, ^uint32(0)}, {2, 7, uid}, {4, 5, ^uint32(0)}, {16, 7, ^uint32(0)}, {32, 5, ^uint32(0)}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.permissions)
		list = binary.LittleEndian.AppendUint32(list, entry.id)
	}
	if err := unix.Setxattr(dir, "system.posix_acl_access", list, 0); errors.Is(err, unix.ENOTSUP) {
		t.Skip("this file system has no access lists")
	} else if err != nil {
		t.Fatal(err)
	}
}

// TestReadTrusted_in_a_group has a directory that the user's own group may write to, as where each user has a group of
// their own.
func TestReadTrusted_in_a_group(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act as another user")
	}
	for _, row := range []struct {
		what    string
		change  func(t *testing.T, dir string)
		trusted bool
	}{
		{"nothing else", func(*testing.T, string) {}, true},
		{"another user in its access list", func(t *testing.T, dir string) { giveAccess(t, dir, other+1) }, false},
		{"another user's link", func(t *testing.T, dir string) {
			link := filepath.Join(dir, "file")
			check(t, os.Rename(link, link+".moved"), os.Symlink(link+".moved", link), os.Lchown(link, other+1, other))
		}, false},
		{"a link of the user's own", func(t *testing.T, dir string) {
			link := filepath.Join(dir, "file")
			check(t, os.Rename(link, link+".moved"), os.Symlink(link+".moved", link), os.Lchown(link, other, other))
		}, true},
	} {
		t.Run(row.what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			check(t, os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755), os.Mkdir(dir, 0o755))
			file := write(t, filepath.Join(dir, "file"), "x", 0o644)
			check(t, os.Chown(file, other, other), os.Chown(dir, other, other), os.Chmod(dir, 0o775))
			row.change(t, dir)
			if err := readAs(other, file); (err == nil) != row.trusted || err != nil && !errors.Is(err, ErrUntrusted) {
				t.Error(err)
			}
		})
	}
}

func TestHasOthers(t *testing.T) {
	const users = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n"
	const groups = "root:x:0:\nada:x:1000:\nbob:x:1001:\n"
	for _, row := range []struct {
		what, users, groups string
		want                bool
	}{
		{"a group of one", users, groups, false},
		{"lists its own user", users, "ada:x:1000:ada\n", false},
		{"lists another user", users, "ada:x:1000:ada,bob\n", true},
		{"is another user's own group", users + "eve:x:1002:1000::/:/bin/sh\n", groups, true},
		{"is under two names", users, groups + "shared:x:1000:bob\n", true},
		{"no files", "", "", false},
		{"a user of a directory service", "", "ada:x:1000:ada\n", false},
		{"with another one", "", "ada:x:1000:ada,bob\n", true},
		{"broken lines", "ada\n:\nada:x:1000\n", "ada:x:1000\n\n:::\n", false},
	} {
		if got := hasOthers(row.users, row.groups, "1000", "1000"); got != row.want {
			t.Errorf("%s: %t", row.what, got)
		}
	}
}
