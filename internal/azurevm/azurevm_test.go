package azurevm

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestDetectLinux(t *testing.T) {
	const tag = "sys/class/dmi/id/chassis_asset_tag"
	for _, row := range []struct {
		what  string
		files map[string]string
		want  bool
	}{
		{"nothing to read", nil, false},
		{"Azure", map[string]string{tag: azureTag + "\n"}, true},
		{"Azure, /sys/class hidden", map[string]string{"sys/devices/virtual/dmi/id/chassis_asset_tag": azureTag + "\n"}, true},
		{"Hyper-V elsewhere", map[string]string{tag: "3811-9347-3826-2840-6182-4519-22\n", "sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n"}, false},
		{"only the vendor", map[string]string{"sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n"}, false},
		{"longer than Azure's", map[string]string{tag: azureTag + "-7783\n"}, false},
		{"an empty tag", map[string]string{tag: "\n"}, false},
		{"cloud-init says so", map[string]string{cloudFile: "azure\n"}, true},
		{"cloud-init in China", map[string]string{cloudFile: "azure-china\n"}, true},
		{"cloud-init says otherwise", map[string]string{cloudFile: "aws\n"}, false},
		{"firmware against cloud-init", map[string]string{tag: "x\n", cloudFile: "azure\n"}, false},
	} {
		root := fstest.MapFS{}
		for name, content := range row.files {
			root[name] = &fstest.MapFile{Data: []byte(content)}
		}
		if got := detectLinux(root); got != row.want {
			t.Errorf("%s: %v", row.what, got)
		}
	}
}

// structure is one SMBIOS structure with its strings.
func structure(kind byte, formatted []byte, texts ...string) []byte {
	b := append([]byte{kind, byte(4 + len(formatted)), 0, 0}, formatted...)
	for _, text := range texts {
		b = append(append(b, text...), 0)
	}
	if len(texts) == 0 {
		b = append(b, 0)
	}
	return append(b, 0)
}

// A chassis has manufacturer, type, version, serial number and tag.
func chassisWith(tag byte, texts ...string) []byte {
	return structure(chassis, []byte{1, 3, 2, 3, tag, 0, 0, 0}, texts...)
}

func TestChassisTag(t *testing.T) {
	bios := structure(0, make([]byte, 20), "American Megatrends", "090008")
	bare := structure(32, make([]byte, 7))
	end := structure(endOfTable, nil)
	azure := chassisWith(4, "Microsoft Corporation", "7.0", "0000-0001", azureTag)
	for _, row := range []struct {
		what  string
		table []byte
		want  string
	}{
		{"nothing", nil, ""},
		{"Azure", slices.Concat(bios, bare, azure, end), azureTag},
		{"without an end", slices.Concat(bios, azure), azureTag},
		{"no chassis", slices.Concat(bios, bare, end), ""},
		{"after the end", slices.Concat(bios, end, azure), ""},
		{"no tag", chassisWith(0, "Microsoft Corporation"), ""},
		{"a tag that isn't there", chassisWith(9, "Microsoft Corporation"), ""},
		{"an old short chassis", structure(chassis, []byte{1, 3}, "x"), ""},
		{"cut in the header", azure[:3], ""},
		{"cut in the formatted part", azure[:8], ""},
		{"cut in the strings", azure[:len(azure)-3], ""},
		{"a length of zero", []byte{0, 0, 0, 0, 0, 0}, ""},
	} {
		if got := chassisTag(row.table); got != row.want {
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
	}
}

func TestRawTable(t *testing.T) {
	for _, row := range []struct {
		answer []byte
		want   string
	}{
		{nil, ""},
		{[]byte{0, 2, 8, 0, 3, 0, 0}, ""},
		{[]byte("\x00\x02\x08\x00\x03\x00\x00\x00abc"), "abc"},
		{[]byte("\x00\x02\x08\x00\x02\x00\x00\x00abc"), "ab"},
		{[]byte("\x00\x02\x08\x00\x04\x00\x00\x00abc"), ""},
		{[]byte("\x00\x02\x08\x00\xff\xff\xff\xffabc"), ""},
	} {
		if got := string(rawTable(row.answer)); got != row.want {
			t.Errorf("%q: %q, want %q", row.answer, got, row.want)
		}
	}
}

func FuzzChassisTag(f *testing.F) {
	f.Add(chassisWith(4, "Microsoft Corporation", "7.0", "0000-0001", azureTag))
	f.Fuzz(func(_ *testing.T, table []byte) { chassisTag(rawTable(table)); chassisTag(table) })
}
