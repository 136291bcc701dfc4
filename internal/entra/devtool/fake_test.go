package devtool

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a developer tool where it is called by the
// name of one.
func TestMain(m *testing.M) {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if slices.Contains([]string{"az", "azd", "pwsh"}, name) {
		pretend(filepath.Dir(os.Args[0]), name)
	}
	os.Exit(m.Run())
}

// A recording is what a tool expects and does.
type recording struct {
	Args           []string // exactly; the last of pwsh is the script, decoded
	Stdout, Stderr string
	Huge           int // bytes to print before that, on both
	Status         int
	Hang           bool // with a child that holds the pipes
	Orphan         bool // leaves such a child behind, and succeeds
}

// A call is what a tool noted of one.
type call struct {
	Dir, Stdin string
	Environ    []string
	Child      int
}

// wrongArgs is how a tool ends that is called in another way than agreed.
const wrongArgs = 97

// pretend is the tool's main.
func pretend(dir, name string) {
	var r recording
	content, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	if err != nil {
		panic(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "linger" {
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	args := slices.Clone(os.Args[1:])
	if name == "pwsh" && len(args) > 0 {
		args[len(args)-1] = decodeCommand(args[len(args)-1])
	}
	if !slices.Equal(args, r.Args) {
		os.Exit(wrongArgs)
	}
	note(dir, name, r)
	fill := strings.Repeat(" ", r.Huge)
	fmt.Fprint(os.Stdout, fill+r.Stdout)
	fmt.Fprint(os.Stderr, r.Stderr+fill)
	if r.Hang {
		time.Sleep(time.Minute)
	}
	os.Exit(r.Status)
}

// note writes down a call, and starts the child that the recording wants.
func note(dir, name string, r recording) {
	var c call
	c.Dir, _ = os.Getwd()
	c.Environ = os.Environ()
	if stdin, err := os.Stdin.Stat(); err == nil && stdin.Mode()&os.ModeCharDevice != 0 {
		c.Stdin = "null"
	}
	if r.Hang || r.Orphan {
		child := exec.Command(os.Args[0], "linger")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		c.Child = child.Process.Pid
	}
	content, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-call-%d", name, os.Getpid())), content, 0o600); err != nil {
		panic(err)
	}
}

// install puts tools on a PATH of their own.
func install(t *testing.T, tools map[string]recording) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, r := range tools {
		content, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if runtime.GOOS == "windows" {
			path += ".exe"
		}
		if os.Symlink(program, path) != nil {
			if err := os.Link(program, path); err != nil {
				t.Skip("no way to give the test binary another name: ", err)
			}
		}
	}
	return dir
}

// calls reads what a tool noted.
func calls(t *testing.T, dir, name string) (noted []call) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, name+"-call-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c call
		if err := json.Unmarshal(content, &c); err != nil {
			t.Fatal(err)
		}
		noted = append(noted, c)
	}
	return noted
}

// now is when tests take place.
var now = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

// canary stands for every secret that must not come to light.
const canary = "c4n4ry"

// toolsIn runs tools of one directory, from an environment full of secrets.
func toolsIn(dir string) Tools {
	env := append(os.Environ(), "GORACE=atexit_sleep_ms=0", "PATH="+dir, "AZURE_CLIENT_SECRET="+canary, "AZD_AUTH_KEY="+canary, "SYSTEM_ACCESSTOKEN="+canary, "AZURE_CONFIG_DIR="+dir)
	return Tools{
		Getenv: func(name string) string {
			if name == "PATH" {
				return dir
			}
			return os.Getenv(name)
		},
		Environ: func() []string { return env },
		Now:     func() time.Time { return now },
	}
}
