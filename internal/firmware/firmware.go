// Package firmware asks the machine's firmware whether it is one of Azure's. It
// never waits, runs nothing, and reaches no network: off Azure, the question must
// cost nothing.
package firmware

import (
	"bytes"
	"io/fs"
	"strings"
)

// azureTag is the asset tag of the chassis of every virtual machine in Azure; in
// ASCII it says "MSFT AZURE VM". (cloud-init, DataSourceAzure.py and ds-identify.)
// The vendor wouldn't do: "Microsoft Corporation" is Hyper-V anywhere.
const azureTag = "7783-7084-3265-9085-8269-3286-77"

// AzureVM says whether the program runs on a virtual machine in Azure, as far as
// its firmware tells. Where nothing can be read, it doesn't.
func AzureVM() bool { return azureVM() }

// tagFiles are where Linux shows the tag; the first goes through the second's
// directory, unless a sandbox hides one of them.
var tagFiles = []string{"sys/class/dmi/id/chassis_asset_tag", "sys/devices/virtual/dmi/id/chassis_asset_tag"}

// cloudFile is where cloud-init notes at each start which cloud it found, for
// containers that don't see the firmware but do see /run: "azure" or "azure-china"
// (cloud-init, sources.canonical_cloud_id).
const cloudFile = "run/cloud-init/cloud-id"

// linuxOnAzure looks at a file system from its root. A tag that can be read
// decides.
func linuxOnAzure(root fs.FS) bool {
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

// chassisTag finds the chassis' asset tag in a table of SMBIOS structures, "" for
// none. Each structure is a formatted part, whose length it says, and then its
// strings, which end in an empty one.
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

// stringAt is the nth of a structure's strings, counted from one; zero is none.
func stringAt(texts []byte, n int) string {
	parts := strings.Split(string(texts), "\x00")
	if n < 1 || n > len(parts) {
		return ""
	}
	return parts[n-1]
}

// rawTable takes the table out of what Windows answers: a header of eight bytes,
// the last four of which are the table's length. (Microsoft Learn,
// "GetSystemFirmwareTable", RawSMBIOSData.)
func rawTable(answer []byte) []byte {
	const header = 8
	if len(answer) < header {
		return nil
	}
	length := int(answer[4]) | int(answer[5])<<8 | int(answer[6])<<16 | int(answer[7])<<24
	if length < 0 || length > len(answer)-header {
		return nil
	}
	return answer[header : header+length]
}
