package azurevm

import (
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// rsmb names the provider of the SMBIOS tables: 'RSMB' as a multi-character constant in
// C.
const rsmb = 'R'<<24 | 'S'<<16 | 'M'<<8 | 'B'

// detect asks for the size first, then for the tables.
func detect() bool {
	get := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemFirmwareTable")
	if get.Find() != nil {
		return false
	}
	size, _, _ := get.Call(rsmb, 0, 0, 0)
	if size == 0 || size > 1<<20 {
		return false
	}
	answer := make([]byte, size)
	n, _, _ := get.Call(rsmb, 0, uintptr(unsafe.Pointer(&answer[0])), size)
	return n == size && isAzure(chassisTag(rawTable(answer)))
}

// machineID is what Windows Setup has made up.
func machineID() string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`,
		registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer key.Close()
	id, _, _ := key.GetStringValue("MachineGuid")
	return id
}
