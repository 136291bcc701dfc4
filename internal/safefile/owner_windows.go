package safefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Rights that other users must not have. A user who can delete an entry, or any entry of
// its directory, can put another in its place; one who can only add entries can't.
const (
	toDeleteEntries windows.ACCESS_MASK = 0x40 // FILE_DELETE_CHILD
	toReplace                           = windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_ALL |
		toDeleteEntries
	toWrite = toReplace | windows.GENERIC_WRITE | windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA |
		windows.FILE_WRITE_EA | windows.FILE_WRITE_ATTRIBUTES
	toRead = windows.GENERIC_READ | windows.FILE_READ_DATA
)

// checkPrivate returns an error, which wraps ErrUntrusted, if users other than the one who
// runs the program and the system's own could have read or written a file.
func checkPrivate(f *os.File, _ fs.FileInfo) error {
	return checkFile(f, toRead|toWrite, errReadable)
}

// checkTrusted is checkPrivate for a file that others may read.
func checkTrusted(f *os.File, _ fs.FileInfo) error { return checkFile(f, toWrite, errWritable) }

func checkFile(f *os.File, rights windows.ACCESS_MASK, open error) error {
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, ownerAndAccess)
	if err != nil {
		return err
	}
	return judge(sd, rights, errForeign, open)
}

// checkDir returns an error if a user other than the reader and the system's own can
// replace an entry of a directory.
func checkDir(dir string, _ fs.FileInfo) error {
	sd, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, ownerAndAccess)
	if err != nil {
		return err
	}
	rights := toReplace
	if dir == filepath.Dir(dir) {
		rights &^= windows.DELETE // which the root of a drive can't be
	}
	return judge(sd, rights, foreignDir(dir), writableDir(dir))
}

const ownerAndAccess = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION

// allowsNothing are the types of entries in an access list that deny, audit or label
// (MS-DTYP 2.4.4.1). Any other type counts as allowing something.
var allowsNothing = map[uint8]bool{1: true, 2: true, 6: true, 7: true, 10: true, 12: true, 13: true, 15: true, 17: true}

// judge returns foreign if an untrusted user owns a file, and open if its access list gives
// one of the rights to an untrusted user. An entry that denies access is not looked at: it
// may stand behind the one that allows it.
func judge(sd *windows.SECURITY_DESCRIPTOR, rights windows.ACCESS_MASK, foreign, open error) error {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	if owner == nil || !isTrustedSID(owner, user.User.Sid) {
		return foreign
	}
	acl, _, err := sd.DACL()
	if err != nil || acl == nil { // without a list, every user has every right
		return open
	}
	for i := range uint32(acl.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(acl, i, &entry); err != nil {
			return err
		}
		kind, flags := entry.Header.AceType, entry.Header.AceFlags
		if allowsNothing[kind] || flags&windows.INHERIT_ONLY_ACE != 0 || entry.Mask&rights == 0 {
			continue
		}
		const conditional = 9 // ACCESS_ALLOWED_CALLBACK_ACE_TYPE, with the same layout
		sid := (*windows.SID)(unsafe.Pointer(&entry.SidStart))
		isPlain := kind == windows.ACCESS_ALLOWED_ACE_TYPE || kind == conditional
		if !isPlain || !isTrustedSID(sid, user.User.Sid) && !isOwnerItself(sid) {
			return open
		}
	}
	return nil
}

// trustedInstaller owns Windows' own directories, such as C:\.
const trustedInstaller = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

// isTrustedSID reports whether an account's files can be trusted: the user's, and those of
// the system and its administrators, to whom those of the user's domain belong.
func isTrustedSID(sid, user *windows.SID) bool {
	isSystem := sid.IsWellKnown(windows.WinLocalSystemSid) || sid.IsWellKnown(windows.WinBuiltinAdministratorsSid)
	if isSystem || sid.Equals(user) {
		return true
	}
	own := user.String()
	domainAdmins := own[:strings.LastIndexByte(own, '-')] + "-512"
	return sid.String() == trustedInstaller || sid.String() == domainAdmins
}

// isOwnerItself reports whether an entry is about the owner of the file (OWNER RIGHTS,
// CREATOR OWNER), who is trusted or not for that.
func isOwnerItself(sid *windows.SID) bool {
	return sid.IsWellKnown(windows.WinCreatorOwnerRightsSid) || sid.IsWellKnown(windows.WinCreatorOwnerSid)
}

func owner(fs.FileInfo) (uid int, known bool) { return 0, false }

// keepGroup does nothing where files belong to no group.
func keepGroup(*os.File, fs.FileInfo) error { return nil }
