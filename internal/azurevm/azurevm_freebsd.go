package azurevm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// detect reads what the boot loader recorded of the SMBIOS (kenv(2), smbios(4)).
func detect() bool {
	const get = 0 // KENV_GET
	name := []byte("smbios.chassis.tag\x00")
	value := make([]byte, 128) // KENV_MVALLEN
	n, _, errno := unix.Syscall6(unix.SYS_KENV, get, uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&value[0])), uintptr(len(value)), 0, 0)
	return errno == 0 && n <= uintptr(len(value)) && isAzure(string(value[:n]))
}

func machineID() string {
	id, _ := unix.Sysctl("kern.hostuuid")
	return id
}
