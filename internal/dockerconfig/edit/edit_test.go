package edit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

const host = "contoso.azurecr.io"

// layouts are layouts of users and programs, with the same file before and after SetHelper.
var layouts = []struct{ name, before, after string }{
	{"empty file", "", "{\n\t\"credHelpers\": {\n\t\t\"contoso.azurecr.io\": \"acr\"\n\t}\n}\n"},
	{"empty object", "{}", "{\n\t\"credHelpers\": {\n\t\t\"contoso.azurecr.io\": \"acr\"\n\t}\n}"},
	{
		"Docker's", "{\n\t\"auths\": {\n\t\t\"a\": {}\n\t}\n}",
		"{\n\t\"auths\": {\n\t\t\"a\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"contoso.azurecr.io\": \"acr\"\n\t}\n}",
	},
	{
		"two spaces and Windows line ends", "{\r\n  \"z\": 1\r\n}\r\n",
		"{\r\n  \"z\": 1,\r\n  \"credHelpers\": {\r\n    \"contoso.azurecr.io\": \"acr\"\r\n  }\r\n}\r\n",
	},
	{"one line", `{"z":1}`, `{"z":1,"credHelpers":{"contoso.azurecr.io":"acr"}}`},
	{"one line with spaces", `{ "z": 1 }` + "\n", `{ "z": 1, "credHelpers": {"contoso.azurecr.io": "acr"} }` + "\n"},
	{
		"other registries", `{"credHelpers": {"a": "x", "b": "y"}, "z": 1}`,
		`{"credHelpers": {"a": "x", "b": "y", "contoso.azurecr.io": "acr"}, "z": 1}`,
	},
	{"null", `{"credHelpers": null}`, `{"credHelpers": {"contoso.azurecr.io": "acr"}}`},
	{"key in another case", `{"CREDHELPERS":{}}`, `{"CREDHELPERS":{"contoso.azurecr.io":"acr"}}`},
	{
		"inner object on one line", "{\n  \"credHelpers\": {\"a\": \"x\"}\n}",
		"{\n  \"credHelpers\": {\"a\": \"x\", \"contoso.azurecr.io\": \"acr\"}\n}",
	},
}

func TestSetHelper_keeps_layout(t *testing.T) {
	for _, row := range layouts {
		got, err := SetHelper([]byte(row.before), host, false)
		if err != nil || string(got) != row.after {
			t.Errorf("%s: %v, %q", row.name, err, got)
		}
	}
}

// isName matches a name; "" matches all.
func isName(name string) func(string) bool {
	return func(n string) bool { return name == "" || n == name }
}

func TestUnsetHelper(t *testing.T) {
	for _, row := range []struct{ before, host, after string }{
		{`{"z": 1, "credHelpers": {"contoso.azurecr.io": "acr"}}`, host, `{"z": 1}`},
		{`{"credHelpers": {"contoso.azurecr.io": "acr"}, "z": 1}`, host, `{"z": 1}`},
		{`{"credHelpers": {"contoso.azurecr.io": "other"}}`, host, `{"credHelpers": {"contoso.azurecr.io": "other"}}`},
		{`{"credHelpers": {"a": "acr", "b": "x", "c": "acr"}}`, "", `{"credHelpers": {"b": "x"}}`},
		{`{"credHelpers": {"a": "acr", "b": "x"}}`, "a", `{"credHelpers": {"b": "x"}}`},
		{"{\n  \"a\": 1,\n  \"credHelpers\": {\"b\": \"acr\"},\n  \"c\": 2\n}", "", "{\n  \"a\": 1,\n  \"c\": 2\n}"},
		{"", host, ""},
	} {
		if got, err := UnsetHelper([]byte(row.before), isName(row.host)); err != nil || string(got) != row.after {
			t.Errorf("%s: %v, %s", row.before, err, got)
		}
	}
}

func TestSetHelper_refuses_malformed_files(t *testing.T) {
	for text, want := range map[string]string{
		`{"credHelpers": []}`:                    `its credHelpers is not a JSON object`,
		`{"credHelpers": {}, "CredHelpers": {}}`: `it has the key "credHelpers" twice`,
		`{"credHelpers": {"contoso.azurecr.io": "acr", "contoso.azurecr.io": "x"}}`: `it has the key "contoso.azurecr.io" twice`,
		`[]`:                 `it is not a valid Docker config file`,
		`{"a": 1,}`:          `it is not a valid Docker config file`,
		"\ufeff{}":           `it begins with a byte order mark; save it as UTF-8 without one`,
		"\xff\xfe{\x00}\x00": `it is UTF-16 text; save it as UTF-8`,
		`{} {}`:              `it is not a valid Docker config file`,
	} {
		_, err := SetHelper([]byte(text), host, false)
		if fault.CodeOf(err) != fault.ClientMalformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSetStore(t *testing.T) {
	for before, want := range map[string]string{
		`{"auths": {}}`:              `{"auths": {}, "credsStore": "acr"}`,
		`{"credsStore": "", "a": 1}`: `{"credsStore": "acr", "a": 1}`,
	} {
		if got, err := SetStore([]byte(before), false); err != nil || string(got) != want {
			t.Errorf("%s: %v, %s", before, err, got)
		}
	}
}

func TestSetDropIn_replaces_what_says_nothing_else(t *testing.T) {
	for _, text := range []string{"", "\n", DropIn + "\n"} {
		if got, err := SetDropIn([]byte(text), false); err != nil || !isDropIn(got) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestRemoveCredential(t *testing.T) {
	text := `{"auths": {"a": {}, "b": {"auth": "eDp5"}}}`
	if got, err := RemoveCredential([]byte(text), "b"); err != nil || string(got) != `{"auths": {"a": {}}}` {
		t.Errorf("%v, %s", err, got)
	}
	if got, err := RemoveCredential([]byte(text), "c"); err != nil || string(got) != text {
		t.Errorf("%v, %s", err, got)
	}
}

func TestDraft_Diff_shows_no_secret(t *testing.T) {
	f := safefile.File{Path: "/c", Exists: true, Text: []byte(`{
"auths": {"a": {"auth": "c4n4ry"}},
"HttpHeaders": {"X": "c4n4\"ry:"},
"list": ["c4n4ry"],
"psFormat": "c4n4ry"
}
`)}
	after, err := SetHelper(f.Text, host, false)
	if err != nil {
		t.Fatal(err)
	}
	want := `--- /c
+++ /c
@@ -2,5 +2,8 @@
 "auths": {"a": {"auth": "…"}},
 "HttpHeaders": {"X": "…"},
 "list": ["…"],
-"psFormat": "…"
+"psFormat": "…",
+"credHelpers": {
+"contoso.azurecr.io": "acr"
+}
 }
`
	if got := (&Draft{f, after}).Diff(); got != want {
		t.Error(got)
	}
	for _, row := range []struct{ before, want string }{
		{`{"pin": 4711, "on": true, "off": [false, -1.5e3, null]}`, `{"pin": "…", "on": "…", "off": ["…", "…", null]}`},
		{`{"proxies": {"https://me:c4n4ry@proxy": {"x": 1}, "tcp": {}}}`, `{"proxies": {"…": {"x": "…"}, "tcp": {}}}`},
		{`{"credsStore": {"c": "c4n4ry"}, "credHelpers": ["c4n4ry"]}`, `{"credsStore": {"c": "…"}, "credHelpers": ["…"]}`},
		{`{"credHelpers": {"a": ["c4n4ry"]}}`, `{"credHelpers": {"a": ["…"]}}`},
		{`{"credsStore": "desktop", "credHelpers": {"a": "b"}}`, `{"credsStore": "desktop", "credHelpers": {"a": "b"}}`},
		{`{"credHelpers": {"b": "acr", "https://me:c4n4ry@a" : "acr"}}`, `{"credHelpers": {"b": "acr", "…": "acr"}}`},
	} {
		if got := string(redact([]byte(row.before))); got != row.want {
			t.Errorf("%s, not %s", got, row.want)
		}
	}
}

// decoded returns what a text means to a client: an empty credHelpers is none.
func decoded(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(orEmpty(text), &v); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	for key, value := range v {
		if m, ok := value.(map[string]any); strings.EqualFold(key, helpersKey) && (value == nil || ok && len(m) == 0) {
			delete(v, key)
		}
	}
	return v
}

func FuzzSetHelper(f *testing.F) {
	for _, row := range layouts {
		f.Add([]byte(row.before), host)
		f.Add([]byte(row.after), "fabrikam.azurecr.io")
	}
	f.Add([]byte(`{"credsStore":"x","auths":{"a":{"auth":"b"}},"credHelpers":{"\u0061":"b"}}`), "a\"\\\n")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		key = strings.ToValidUTF8(key, "") // as registries are
		edits := []struct{ set, unset func([]byte) ([]byte, error) }{
			{
				func(b []byte) ([]byte, error) { return SetHelper(b, key, false) },
				func(b []byte) ([]byte, error) { return UnsetHelper(b, isName(key)) },
			},
			{func(b []byte) ([]byte, error) { return SetStore(b, false) }, UnsetStore},
		}
		for _, edit := range edits {
			before := bytes.Clone(text)
			once, err := edit.set(text)
			if !bytes.Equal(before, text) {
				t.Fatal("the text was changed in place")
			}
			if err != nil {
				continue
			}
			twice, err := edit.set(once)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%v: set twice it is %q, not %q", err, twice, once)
			}
			undone, err := edit.unset(once)
			if err != nil {
				t.Fatal(err)
			}
			was := decoded(t, text)
			if same, err := edit.unset(text); err == nil && !bytes.Equal(same, text) || hasEmptyName(was, key) {
				decoded(t, once) // it named this helper before, or none: that is not restored
				continue
			}
			if got := decoded(t, undone); !reflect.DeepEqual(got, was) {
				t.Fatalf("undone: %v, not %v", got, was)
			}
			(&Draft{safefile.File{Path: "/c", Text: text, Exists: true}, once}).Diff()
		}
	})
}

// hasEmptyName reports whether a helper's name in a file is empty or no string.
func hasEmptyName(was map[string]any, key string) bool {
	for k, v := range was {
		if strings.EqualFold(k, storeKey) {
			if s, _ := v.(string); s == "" {
				return true
			}
		}
		m, _ := v.(map[string]any)
		if value, ok := m[key]; ok && strings.EqualFold(k, helpersKey) {
			if s, _ := value.(string); s == "" {
				return true
			}
		}
	}
	return false
}
