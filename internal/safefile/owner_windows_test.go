package safefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

func sid(t *testing.T) string {
	t.Helper()
	return must(windows.GetCurrentProcessToken().GetTokenUser()).User.Sid.String()
}

// share lets every user read and write a file.
func share(t *testing.T, path string) {
	t.Helper()
	sd := must(windows.SecurityDescriptorFromString("D:P(A;;FA;;;" + sid(t) + ")(A;;FRFW;;;WD)"))
	acl, _, err := sd.DACL()
	check(t, err, windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil))
}

// TestJudge has security descriptors as Windows prints them. ME is the user.
func TestJudge(t *testing.T) {
	foreign, open := errors.New("foreign"), errors.New("open")
	const others = "(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;ME)"
	for _, row := range []struct {
		what, sddl                 string
		private, trusted, replaced error // what checkPrivate, checkTrusted and checkDir say
	}{
		{"the user's own", "O:MED:P" + others, nil, nil, nil},
		{"an administrator's", "O:BAD:" + others, nil, nil, nil},
		{"the system's", "O:SYD:" + others, nil, nil, nil},
		{"Windows' own", "O:" + trustedInstaller + "D:" + others, nil, nil, nil},
		{"an administrator's of the domain", "O:DOMAIN-512D:" + others, nil, nil, nil},
		{"an administrator's of another domain", "O:S-1-5-21-1-2-3-512D:" + others, foreign, foreign, foreign},
		{"another user's", "O:S-1-5-21-1-2-3-1001D:" + others, foreign, foreign, foreign},
		{"every user's", "O:WDD:" + others, foreign, foreign, foreign},
		{"readable", "O:MED:(A;;FR;;;BU)" + others, open, nil, nil},
		{"readable by generic rights", "O:MED:(A;;GR;;;BU)" + others, open, nil, nil},
		{"writable", "O:MED:(A;;FW;;;AU)" + others, open, open, nil},
		{"writable by generic rights", "O:MED:(A;;GW;;;AU)" + others, open, open, nil},
		{"to be deleted", "O:MED:(A;;SD;;;WD)" + others, open, open, open},
		{"with rights to its list", "O:MED:(A;;WD;;;AN)" + others, open, open, open},
		{"with rights to its owner", "O:MED:(A;;WO;;;S-1-5-21-1-2-3-1001)" + others, open, open, open},
		{"a directory whose entries others may delete", "O:MED:(A;;DC;;;WD)" + others, open, open, nil},
		{"C:\\ProgramData\\x, where users may make files", "O:BAD:(A;CIID;0x116;;;BU)(A;OICIID;0x1200a9;;;BU)" + others, open, open, nil},
		{"what only files in it inherit", "O:MED:(A;OICIIO;FA;;;WD)(A;OICIIO;GA;;;CO)" + others, nil, nil, nil},
		{"its owner's", "O:MED:(A;;FA;;;OW)(A;;FA;;;CO)" + others, nil, nil, nil},
		{"with what is denied", "O:MED:(D;;FA;;;WD)" + others, nil, nil, nil},
		{"with looks at attributes", "O:MED:(A;;0x100080;;;WD)" + others, nil, nil, nil},
		{"without a list", "O:ME", open, open, open},
		{"with an empty list", "O:MED:P", nil, nil, nil},
	} {
		me := sid(t)
		sddl := strings.NewReplacer("ME", me, "DOMAIN", me[:strings.LastIndexByte(me, '-')]).Replace(row.sddl)
		sd, err := windows.SecurityDescriptorFromString(sddl)
		if err != nil {
			t.Errorf("%s: %s: %v", row.what, sddl, err)
			continue
		}
		for i, rights := range []windows.ACCESS_MASK{toRead | toWrite, toWrite, toReplace} {
			want := []error{row.private, row.trusted, row.replaced}[i]
			if err := judge(sd, rights, foreign, open); err != want {
				t.Errorf("%s, rights %#x: %v, want %v", row.what, rights, err, want)
			}
		}
	}
}

// TestJudge_of_conditional_entries has entries that count whatever their condition is, and of a type that is not known.
func TestJudge_of_conditional_entries(t *testing.T) {
	foreign, open := errors.New("foreign"), errors.New("open")
	for kind, want := range map[uint8]error{0: open, 1: nil, 5: open, 6: nil, 9: open, 11: open, 200: open} {
		sd := must(windows.SecurityDescriptorFromString("O:" + sid(t) + "D:(A;;FW;;;AU)"))
		acl, _, err := sd.DACL()
		var entry *windows.ACCESS_ALLOWED_ACE
		check(t, err, windows.GetAce(acl, 0, &entry))
		entry.Header.AceType = kind
		if err := judge(sd, toWrite, foreign, open); err != want {
			t.Errorf("type %d: %v, want %v", kind, err, want)
		}
	}
}

// TestMakeDir_on_Windows makes a directory below one that is open to every user, and a file in it.
func TestMakeDir_on_Windows(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "C")
	check(t, os.Mkdir(shared, 0o700))
	share(t, shared)
	path := filepath.Join(shared, "docker-credential-acr", "vault")
	check(t, MakePrivate(path), MakePrivate(path)) // the second finds the first's
	dir := must(os.OpenRoot(path))
	defer dir.Close()
	check(t, CheckPrivate(dir), WriteNew(dir, "key", []byte("x")))
	must(ReadPrivate(dir, "key", 10))
	share(t, path)
	if err := CheckPrivate(dir); !errors.Is(err, ErrUntrusted) || err.Error() != "other users have access to it" {
		t.Error(err)
	}
	if err := MakePrivate(path); !errors.Is(err, ErrUntrusted) {
		t.Error(fmt.Sprint(err, ": a directory of other users is used"))
	}
}

// TestReadTrusted_checks_directories_on_Windows has a trusted file where others could exchange it.
func TestReadTrusted_checks_directories_on_Windows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	path := write(t, filepath.Join(dir, "b", "config.json"), "x", 0o600)
	must(ReadTrusted(path, 10))
	sd := must(windows.SecurityDescriptorFromString("D:P(A;;FA;;;" + sid(t) + ")(A;;FA;;;WD)"))
	acl, _, err := sd.DACL()
	check(t, err, windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil))
	_, err = ReadTrusted(path, 10)
	if !errors.Is(err, ErrUntrusted) || err.Error() != "other users can write to the directory "+dir {
		t.Error(err)
	}
}
