package keystore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// requireTools skips a test whose tools are missing.
func requireTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skipIncapable(t, tool+" is not installed")
		}
	}
}

// skipIncapable skips a test that can't run on this computer. CI has to be able to run all tests, so there it fails.
// "make test" prints the reasons at the end, because go test doesn't say what it skips.
func skipIncapable(t *testing.T, reason string) {
	t.Helper()
	if f, err := os.OpenFile(os.Getenv("NOT_TESTED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
		fmt.Fprintln(f, "keystore: "+reason)
		f.Close()
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// A child says how to start the test binary.
type child struct {
	binary     string   // "" for the running one
	prefix     []string // the command that starts it: keyctl session -
	env        []string
	adapt      func(*exec.Cmd)
	onResponse func(response)    // sees every response first; may be nil
	keys       map[string]string // by the letter that steps call them
}

func (c child) run(t *testing.T, r request) response {
	t.Helper()
	resp, err := c.try(r)
	if err != nil {
		t.Fatalf("child %v: %v", r, err)
	}
	if c.onResponse != nil {
		c.onResponse(resp)
	}
	if strings.Contains(resp.Err, otherValue) {
		t.Errorf("%s: the error quotes the value", r.Do)
	}
	return resp
}

// steps runs children one after the other, and compares what they report. "create:A" must return a key, which is A from
// then on; another letter is another key. "key:locked" must fail with that kind of error. "revoke" must succeed.
func (c child) steps(t *testing.T, r request, steps ...string) {
	t.Helper()
	for _, step := range steps {
		do, want, _ := strings.Cut(step, ":")
		r.Do = do
		resp := c.run(t, r)
		got := resp.Kind
		if len(want) == 1 {
			if c.keys[want] == "" && len(resp.Key) == 2*KeySize {
				c.keys[want] = resp.Key
			}
			for name, key := range c.keys {
				if resp.Key == key {
					got += name
				}
			}
		}
		if got != want {
			t.Errorf("%s: got %q: %s", step, got, resp.Err)
		}
	}
}

func (c child) try(r request) (resp response, err error) {
	if c.binary == "" {
		c.binary = must(os.Executable())
	}
	command := append(append([]string{}, c.prefix...), c.binary)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(append([]string{}, c.env...), childVar+"=1", "PATH="+os.Getenv("PATH"),
		"GORACE=atexit_sleep_ms=0") // otherwise each child of go test -race waits for a second
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(must(json.Marshal(r))), &stderr
	if c.adapt != nil {
		c.adapt(cmd)
	}
	out, err := cmd.Output()
	if err != nil {
		return resp, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	if i := bytes.IndexByte(out, '{'); i > 0 { // keyctl session prints which one it joined
		out = out[i:]
	}
	return resp, json.Unmarshal(out, &resp)
}
