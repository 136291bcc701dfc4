// Package azurevm finds out whether this computer is an Azure virtual machine, from the
// firmware, and which computer it is. It never waits, runs no program, and uses no network: outside Azure, the
// question must cost nothing.
package azurevm

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"strings"
)

// azureTag is the asset tag of the chassis of every Azure virtual machine; in ASCII it
// says "MSFT AZURE VM". (cloud-init, DataSourceAzure.py and ds-identify.) The vendor
// would not do: "Microsoft Corporation" is Hyper-V anywhere.
const azureTag = "7783-7084-3265-9085-8269-3286-77"

// Detect reports whether the program runs on an Azure virtual machine, as far as the
// firmware can be read.
func Detect() bool { return detect() }

// MachineID returns what tells this computer from others, "" for unknown. Clones of a
// computer's disk may have the same.
func MachineID() string { return strings.TrimSpace(machineID()) }

// tagFiles are where Linux shows the tag. The first links to the second; a sandbox may
// hide either.
var tagFiles = []string{"sys/class/dmi/id/chassis_asset_tag", "sys/devices/virtual/dmi/id/chassis_asset_tag"}

// cloudFile is where cloud-init writes at each start which cloud it found, for containers
// that don't see the firmware but do see /run: "azure" or "azure-china" (cloud-init,
// sources.canonical_cloud_id).
const cloudFile = "run/cloud-init/cloud-id"

// detectLinux looks at a file system from its root. A tag that can be read decides.
func detectLinux(root fs.FS) bool {
	for _, name := range tagFiles {
		if tag, err := fs.ReadFile(root, name); err == nil {
			return isAzure(string(tag))
		}
	}
	cloud, err := fs.ReadFile(root, cloudFile)
	name := strings.TrimSpace(string(cloud))
	return err == nil && (name == "azure" || name == "azure-china")
}

func isAzure(tag string) bool { return strings.TrimSpace(strings.TrimRight(tag, "\x00")) == azureTag }

// The layout of an SMBIOS structure (DMTF DSP0134, §6.1 and §7.4).
const (
	chassis      = 3    // type of the system enclosure
	endOfTable   = 127  // type of the last structure
	chassisTagAt = 0x08 // where a chassis has the number of its asset tag's string
	structHeader = 4    // type, length of the formatted part, handle
)

// chassisTag returns the chassis' asset tag from a table of SMBIOS structures; "" for
// none. Each structure is a formatted part, which states its own length, and then its
// strings, which end with an empty one.
func chassisTag(table []byte) string {
	for len(table) >= structHeader {
		kind, length := table[0], int(table[1])
		if length < structHeader || length > len(table) || kind == endOfTable {
			return ""
		}
		formatted, rest := table[:length], table[length:]
		end := bytes.Index(rest, []byte{0, 0})
		if end < 0 {
			return ""
		}
		if kind == chassis && length > chassisTagAt {
			return stringAt(rest[:end], int(formatted[chassisTagAt]))
		}
		table = rest[end+2:]
	}
	return ""
}

// stringAt returns the nth of a structure's strings, counted from one; zero is none.
func stringAt(texts []byte, n int) string {
	parts := strings.Split(string(texts), "\x00")
	if n < 1 || n > len(parts) {
		return ""
	}
	return parts[n-1]
}

// rawTable returns the table in Windows' answer, which has a header of eight bytes, the
// last four of which are the table's length. (Microsoft Learn, "GetSystemFirmwareTable",
// RawSMBIOSData.)
func rawTable(answer []byte) []byte {
	const header = 8
	if len(answer) < header {
		return nil
	}
	length := int64(binary.LittleEndian.Uint32(answer[4:]))
	if length > int64(len(answer)-header) {
		return nil
	}
	return answer[header : header+length]
}
