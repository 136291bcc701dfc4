package clientconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
)

const host = "contoso.azurecr.io"

// layouts are how people and programs lay these files out, before and after.
var layouts = []struct{ name, before, after string }{
	{"nothing", "", "{\n\t\"credHelpers\": {\n\t\t\"contoso.azurecr.io\": \"acr\"\n\t}\n}\n"},
	{"an empty object", "{}", "{\n\t\"credHelpers\": {\n\t\t\"contoso.azurecr.io\": \"acr\"\n\t}\n}"},
	{"as Docker writes", "{\n\t\"auths\": {\n\t\t\"a\": {}\n\t}\n}", "{\n\t\"auths\": {\n\t\t\"a\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"contoso.azurecr.io\": \"acr\"\n\t}\n}"},
	{"two spaces, Windows", "{\r\n  \"z\": 1\r\n}\r\n", "{\r\n  \"z\": 1,\r\n  \"credHelpers\": {\r\n    \"contoso.azurecr.io\": \"acr\"\r\n  }\r\n}\r\n"},
	{"one line", `{"z":1}`, `{"z":1,"credHelpers":{"contoso.azurecr.io":"acr"}}`},
	{"one airy line", `{ "z": 1 }` + "\n", `{ "z": 1, "credHelpers": {"contoso.azurecr.io": "acr"} }` + "\n"},
	{"others", `{"credHelpers": {"a": "x", "b": "y"}, "z": 1}`, `{"credHelpers": {"a": "x", "b": "y", "contoso.azurecr.io": "acr"}, "z": 1}`},
	{"null", `{"credHelpers": null}`, `{"credHelpers": {"contoso.azurecr.io": "acr"}}`},
	{"in another case", `{"CREDHELPERS":{}}`, `{"CREDHELPERS":{"contoso.azurecr.io":"acr"}}`},
	{"an inner line", "{\n  \"credHelpers\": {\"a\": \"x\"}\n}", "{\n  \"credHelpers\": {\"a\": \"x\", \"contoso.azurecr.io\": \"acr\"}\n}"},
}

func TestLayoutStays(t *testing.T) {
	for _, row := range layouts {
		got, err := SetHelper([]byte(row.before), host, false)
		if err != nil || string(got) != row.after {
			t.Errorf("%s: %v, %q", row.name, err, got)
		}
	}
}

func TestUnset(t *testing.T) {
	for _, row := range []struct{ before, host, after string }{
		{`{"z": 1, "credHelpers": {"contoso.azurecr.io": "acr"}}`, host, `{"z": 1}`},
		{`{"credHelpers": {"contoso.azurecr.io": "acr"}, "z": 1}`, host, `{"z": 1}`},
		{`{"credHelpers": {"contoso.azurecr.io": "other"}}`, host, `{"credHelpers": {"contoso.azurecr.io": "other"}}`},
		{`{"credHelpers": {"a": "acr", "b": "x", "c": "acr"}}`, "", `{"credHelpers": {"b": "x"}}`},
		{`{"credHelpers": {"a": "acr", "b": "x"}}`, "a", `{"credHelpers": {"b": "x"}}`},
		{"{\n  \"a\": 1,\n  \"credHelpers\": {\"b\": \"acr\"},\n  \"c\": 2\n}", "", "{\n  \"a\": 1,\n  \"c\": 2\n}"},
		{"", host, ""},
	} {
		if got, err := UnsetHelper([]byte(row.before), row.host); err != nil || string(got) != row.after {
			t.Errorf("%s: %v, %s", row.before, err, got)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, row := range []struct{ text, code, why string }{
		{`{"credHelpers": {"contoso.azurecr.io": "ecr-login"}}`, CodeOtherHelper, `contoso.azurecr.io is already answered by the helper "ecr-login"`},
		{`{"credHelpers": []}`, CodeMalformed, "its credHelpers is not an object"},
		{`{"credHelpers": {}, "CredHelpers": {}}`, CodeMalformed, `it names "CredHelpers" twice`},
		{`{"credHelpers": {"contoso.azurecr.io": "acr", "contoso.azurecr.io": "x"}}`, CodeMalformed, `it names "contoso.azurecr.io" twice`},
		{`[]`, CodeMalformed, "it is not a JSON object"},
		{`{"a": 1,}`, CodeMalformed, "it is not valid JSON"},
		{"\ufeff{}", CodeMalformed, "it is not valid JSON"},
		{`{} {}`, CodeMalformed, "it is not valid JSON"},
	} {
		_, err := SetHelper([]byte(row.text), host, false)
		var refused *Error
		if !errors.As(err, &refused) || refused.Code() != row.code || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(row.why)) {
			t.Errorf("%s: %v", row.text, err)
		}
	}
	if got, err := SetHelper([]byte(`{"credHelpers": {"contoso.azurecr.io": "x"}}`), host, true); err != nil || string(got) != `{"credHelpers": {"contoso.azurecr.io": "acr"}}` {
		t.Errorf("forced: %v, %s", err, got)
	}
}

func TestStore(t *testing.T) {
	for _, row := range []struct{ before, after string }{
		{`{"auths": {}}`, `{"auths": {}, "credsStore": "acr"}`},
		{`{"credsStore": "", "a": 1}`, `{"credsStore": "acr", "a": 1}`},
	} {
		got, err := SetStore([]byte(row.before), false)
		if err != nil || string(got) != row.after {
			t.Errorf("%s: %v, %s", row.before, err, got)
		}
	}
	if _, err := SetStore([]byte(`{"credsStore": "desktop"}`), false); err == nil || err.Error() != `every registry (credsStore) is already answered by the helper "desktop"` {
		t.Error(err)
	}
	if got, err := UnsetStore([]byte(`{"credsStore": "desktop"}`)); err != nil || string(got) != `{"credsStore": "desktop"}` {
		t.Errorf("%v, %s", err, got)
	}
}

func TestRemoveLogin(t *testing.T) {
	text := `{"auths": {"a": {}, "b": {"auth": "eDp5"}}}`
	if got, err := RemoveLogin([]byte(text), "b"); err != nil || string(got) != `{"auths": {"a": {}}}` {
		t.Errorf("%v, %s", err, got)
	}
	if got, err := RemoveLogin([]byte(text), "c"); err != nil || string(got) != text {
		t.Errorf("%v, %s", err, got)
	}
}

func TestDiffShowsNoSecret(t *testing.T) {
	f := atomicfile.File{Path: "/c", Exists: true, Text: []byte("{\n\"auths\": {\"a\": {\"auth\": \"c4n4ry\"}},\n\"HttpHeaders\": {\"X\": \"c4n4\\\"ry:\"},\n\"list\": [\"c4n4ry\"],\n\"psFormat\": \"c4n4ry\"\n}\n")}
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
	if got := Diff(f, after); got != want {
		t.Error(got)
	}
	for before, want := range map[string]string{
		`{"pin": 4711, "on": true, "off": [false, -1.5e3, null]}`:           `{"pin": "…", "on": "…", "off": ["…", "…", null]}`,
		`{"proxies": {"https://me:c4n4ry@proxy": {"x": 1}, "tcp": {}}}`:     `{"proxies": {"…": {"x": "…"}, "tcp": {}}}`,
		`{"credsStore": {"c": "c4n4ry"}, "credHelpers": {"a": ["c4n4ry"]}}`: `{"credsStore": {"c": "…"}, "credHelpers": {"a": ["…"]}}`,
		`{"credsStore": "desktop", "credHelpers": {"a": "pass"}}`:           `{"credsStore": "desktop", "credHelpers": {"a": "pass"}}`,
		`{"credHelpers": {"b": "acr", "https://me:c4n4ry@a" : "acr"}}`:      `{"credHelpers": {"b": "acr", "…": "acr"}}`,
	} {
		if got := string(masked([]byte(before))); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// decoded is what a text means to a client: which helpers and logins there are. An
// empty map is none.
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

func FuzzEdit(f *testing.F) {
	for _, row := range layouts {
		f.Add([]byte(row.before), host)
		f.Add([]byte(row.after), "fabrikam.azurecr.io")
	}
	f.Add([]byte(`{"credsStore":"x","auths":{"a":{"auth":"b"}},"credHelpers":{"\u0061":"b"}}`), "a\"\\\n")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		key = strings.ToValidUTF8(key, "") // as registries are
		edits := []struct{ set, unset func([]byte) ([]byte, error) }{
			{func(b []byte) ([]byte, error) { return SetHelper(b, key, false) }, func(b []byte) ([]byte, error) { return UnsetHelper(b, key) }},
			{func(b []byte) ([]byte, error) { return SetStore(b, false) }, UnsetStore},
		}
		for _, edit := range edits {
			before := bytes.Clone(text)
			once, err := edit.set(text)
			if !bytes.Equal(before, text) {
				t.Fatal("the text was written over")
			}
			if err != nil {
				continue
			}
			twice, err := edit.set(once)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%v: a second time it is %q, not %q", err, twice, once)
			}
			undone, err := edit.unset(once)
			if err != nil {
				t.Fatal(err)
			}
			was := decoded(t, text)
			if same, err := edit.unset(text); err == nil && !bytes.Equal(same, text) || emptyEntry(was, key) {
				decoded(t, once) // it named us before, or nobody: there is no way back to that
				continue
			}
			if got := decoded(t, undone); !reflect.DeepEqual(got, was) {
				t.Fatalf("undone: %v, not %v", got, was)
			}
			Diff(atomicfile.File{Path: "/c", Text: text, Exists: true}, once)
		}
	})
}

// emptyEntry says whether something stands where a helper's name belongs that is none.
func emptyEntry(was map[string]any, key string) bool {
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
