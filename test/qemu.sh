#!/usr/bin/env bash
# Runs the Go tests for another processor under QEMU (Debian: qemu-user-static), which is
# registered in a user namespace only (Linux 6.7 and newer).
#
# usage: qemu.sh [PACKAGE…]    all packages: some minutes
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...

# Such a namespace has one user, so no test can act as another one, and its kernel keyring
# can't be shared with what the tests start. QEMU makes no network for a child.
skipped='TestFile_Editable|TestFile_keeps_group|TestReadTrusted|TestReaders_while_files_are_exchanged|TestMakeDir'
skipped+='|TestCheckPrivate_and_checkTrusted|TestCheckPlace|TestVault_Open/of_another_user|TestLoad_file_that_only_root_can_read'
skipped+='|TestKeyFile_Key_rejects_untrusted_files/another_user|TestKernel|TestSecretService'
skipped+='|TestCallback_ServeHTTP_refuses_other_users|TestLoopback_while_another_program_holds_all_ports'
skipped+='|TestClient_AccessToken_outside_the_group_of_Azure_Arc'
export skipped GOARCH=arm64 CGO_ENABLED=0

exec unshare --user --map-root-user --mount bash -ec '
	mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
	elf="\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
	mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
	printf %s ":qemu:M::$elf:$mask:/usr/bin/qemu-aarch64-static:F" >/proc/sys/fs/binfmt_misc/register
	exec go test -short -timeout 30m -skip "$skipped" "$@"' qemu "$@"
