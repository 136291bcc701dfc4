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

	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
)

// TestMain makes the test binary a developer tool if it is run under the name of one.
func TestMain(m *testing.M) {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if slices.Contains([]string{"az", "azd", "pwsh"}, name) {
		runTool(filepath.Dir(os.Args[0]), name)
	}
	os.Exit(m.Run())
}

// A recording is what a tool expects and does.
type recording struct {
	Args           []string // exactly; the last of pwsh is the script, decoded
	Stdout, Stderr string
	Huge           int // bytes to print before that, on both
	Status         int
	Hang           bool // with a child that keeps the pipes open
	Orphan         bool // leaves such a child behind, and succeeds
}

// A run is what a tool writes down about one run.
type run struct {
	Dir, Stdin string
	Environ    []string
	Child      int
}

// wrongArgs is the exit status of a tool that gets other arguments than it expects.
const wrongArgs = 97

// runTool is the tool's main.
func runTool(dir, name string) {
	var r recording
	content, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	if err != nil {
		panic(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "child" {
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
	record(dir, name, r)
	fill := strings.Repeat(" ", r.Huge)
	fmt.Fprint(os.Stdout, fill+r.Stdout)
	fmt.Fprint(os.Stderr, r.Stderr+fill)
	if r.Hang {
		time.Sleep(time.Minute)
	}
	os.Exit(r.Status)
}

// record writes down a run, and starts the child that the recording wants.
func record(dir, name string, r recording) {
	var done run
	done.Dir, _ = os.Getwd()
	done.Environ = os.Environ()
	if stdin, err := os.Stdin.Stat(); err == nil && stdin.Mode()&os.ModeCharDevice != 0 {
		done.Stdin = "null"
	}
	if r.Hang || r.Orphan {
		child := exec.Command(os.Args[0], "child")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		done.Child = child.Process.Pid
	}
	content, err := json.Marshal(done)
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-run-%d", name, os.Getpid()))
	if err := os.WriteFile(path+".tmp", content, 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil { // in one step, for tests that wait for it
		panic(err)
	}
}

// install returns a directory with tools, for the PATH.
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
		if err := rename(program, filepath.Join(dir, name)); err != nil {
			t.Fatal("can't give the test binary another name: ", err)
		}
	}
	return dir
}

// rename gives a program another name. Windows has no links without a privilege, and can't delete those to programs that run.
func rename(program, path string) error {
	if runtime.GOOS != "windows" {
		return os.Symlink(program, path)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(path+".exe", content, 0o700)
}

// runFiles is the pattern of the files that record writes.
func runFiles(name string) string { return name + "-run-*[0-9]" }

// runs returns what a tool has written down.
func runs(t *testing.T, dir, name string) (all []run) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, runFiles(name)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r run
		if err := json.Unmarshal(content, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// now is the time of the tests.
var now = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

// canary stands for every secret that no error and no child may get.
const canary = "c4n4ry"

// toolsIn runs the tools in a directory, from an environment full of secrets.
func toolsIn(dir string) Tools {
	return Tools{
		Runner: subprocess.Runner{
			Getenv: func(name string) string {
				if name == "PATH" {
					return dir
				}
				return os.Getenv(name)
			},
			Environ: append(os.Environ(), "GORACE=atexit_sleep_ms=0", "PATH="+dir, "AZURE_CONFIG_DIR="+dir,
				"AZURE_CLIENT_SECRET="+canary, "AZD_AUTH_KEY="+canary, "SYSTEM_ACCESSTOKEN="+canary),
		},
		Now: func() time.Time { return now },
	}
}
