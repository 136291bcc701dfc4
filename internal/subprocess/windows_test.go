//go:build windows

package subprocess

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// childVar makes the test binary a program that starts itself with the same variable, writes down the child's number in
// the file that it names, and hangs, unless the file's name is "once".
const childVar = "TEST_CHILD"

func TestMain(m *testing.M) {
	switch file := os.Getenv(childVar); file {
	case "":
		os.Exit(m.Run())
	case "hang":
	default:
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVar+"=hang")
		if err := child.Start(); err != nil {
			panic(err)
		}
		if err := os.WriteFile(file, fmt.Append(nil, child.Process.Pid), 0o600); err != nil {
			panic(err)
		}
		if filepath.Base(file) == "once" {
			return
		}
	}
	time.Sleep(time.Minute)
}

func runner(path string, environ ...string) Runner {
	getenv := func(name string) string {
		if name == "PATH" {
			return path
		}
		return os.Getenv(name)
	}
	return Runner{Getenv: getenv, Environ: append(os.Environ(), environ...)}
}

func all(string) bool { return true }

// TestRunner_Run_batch_files runs batch files where installers, and users with such names, have them.
func TestRunner_Run_batch_files(t *testing.T) {
	for _, name := range []string{
		"CLI2", "Program Files (x86)", "R&D", "a^b", "@home", "tom's", "a!b", "a=b,c", "köln", "(a) & (b)", "a  b",
	} {
		for _, extension := range []string{".cmd", ".bat"} {
			dir := filepath.Join(t.TempDir(), name)
			err := errors.Join(os.Mkdir(dir, 0o700),
				os.WriteFile(filepath.Join(dir, "az"+extension), []byte("@echo off\r\necho [%*]\r\nexit /b 3\r\n"), 0o700))
			if err != nil {
				t.Error(err)
				continue
			}
			r := runner(dir)
			path := r.Find("az")
			if path != filepath.Join(dir, "az"+extension) {
				t.Errorf("%s: %q", name, path)
			}
			out, err := r.Run(t.Context(), Command{
				Path: path, Args: []string{"account", "--resource", "https://containerregistry.azure.net"},
				Inherits: all, Timeout: time.Minute,
			})
			exit, _ := errors.AsType[*ExitError](err)
			if exit == nil || exit.Status != 3 || strings.TrimSpace(string(out)) != "[account --resource https://containerregistry.azure.net]" {
				t.Errorf("%s: %q, %v", path, out, err)
			}
		}
	}
}

// TestBatchLine has the command lines themselves: Wine's CreateProcess would add missing quotes.
func TestBatchLine(t *testing.T) {
	line, err := batchLine(`C:\Program Files (x86)\CLI2\az.cmd`, []string{"account", "--output", "json"})
	if want := `/d /v:off /s /c ""C:\Program Files (x86)\CLI2\az.cmd" account --output json"`; err != nil || line != want {
		t.Errorf("%s, %v", line, err)
	}
	for _, arg := range []string{"", "a b", "%PATH%", "!x!", "a&calc", "a|b", "a>b", "a^b", `a"b`, "(a)", "a\nb", "a,b", "*"} {
		if line, err := batchLine(`C:\az.cmd`, []string{arg}); err == nil {
			t.Errorf("%q: %s", arg, line)
		}
	}
	for _, path := range []string{`C:\%PATH%\az.cmd`, "C:\\a\"b\\az.cmd", "C:\\a\nb\\az.cmd"} {
		if line, err := batchLine(path, nil); err == nil {
			t.Errorf("%q: %s", path, line)
		}
	}
	_, err = runner("").Run(t.Context(), Command{Path: `C:\az.cmd`, Args: []string{"a&b"}, Inherits: all, Timeout: time.Minute})
	if err == nil || err.Error() != "can't be run: cmd.exe would change an argument" {
		t.Error(err)
	}
}

func TestRunner_Find_uses_PATHEXT(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.bat", "a.cmd", "b.exe", "b.cmd", "c.js"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ pathext, name, want string }{
		{"", "a", "a.bat"},
		{".COM;.EXE;.BAT;.CMD;.VBS;.JS", "a", "a.bat"},
		{".CMD;.BAT", "a", "a.cmd"},
		{".CMD;.EXE", "b", "b.cmd"},
		{".JS", "b", "b.exe"},
		{".JS;.EXE", "c", ""},
	} {
		r := Runner{Getenv: func(name string) string { return map[string]string{"PATH": dir, "PATHEXT": row.pathext}[name] }}
		want := row.want
		if want != "" {
			want = filepath.Join(dir, want)
		}
		if found := r.Find(row.name); found != want {
			t.Errorf("PATHEXT=%s: %s is %q, want %q", row.pathext, row.name, found, want)
		}
	}
}

// TestRunner_Run_ends_children has a program whose child outlives it, started by itself and by a batch file.
func TestRunner_Run_ends_children(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	batch := filepath.Join(dir, "tool.cmd")
	if err := os.WriteFile(batch, []byte("@\""+program+"\"\r\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{program, batch} {
		file := filepath.Join(dir, filepath.Base(path)+".child")
		started := make(chan windows.Handle, 1)
		go func() { started <- waitForChild(file) }()
		_, err := runner("", childVar+"="+file).Run(t.Context(), Command{Path: path, Inherits: all, Timeout: 10 * time.Second})
		if stopped, ok := errors.AsType[*Error](err); !ok || !stopped.TimedOut {
			t.Errorf("%s: %v", path, err)
		}
		child := <-started
		if child == 0 {
			t.Fatalf("%s started no child", path)
		}
		event, err := windows.WaitForSingleObject(child, 20_000)
		windows.CloseHandle(child)
		if err != nil || event != windows.WAIT_OBJECT_0 {
			t.Errorf("%s: its child goes on: %v", path, err)
		}
	}
}

// waitForChild returns a handle of the process whose number is in a file, as soon as there is one; 0 after a while.
func waitForChild(file string) windows.Handle {
	for range 1000 {
		time.Sleep(10 * time.Millisecond)
		content, _ := os.ReadFile(file)
		var pid uint32
		if _, err := fmt.Sscan(string(content), &pid); err != nil {
			continue
		}
		child, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_TERMINATE, false, pid)
		if err == nil {
			return child
		}
	}
	return 0
}

// TestRunner_Run_leaves_children has a program that ends by itself: its child may go on, as gpg's agent.
func TestRunner_Run_leaves_children(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "once")
	batch := filepath.Join(dir, "tool.bat")
	script := "@start /b \"\" \"" + program + "\" >NUL 2>NUL\r\n"
	if err := os.WriteFile(batch, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = runner("", childVar+"="+file).Run(t.Context(), Command{Path: batch, Inherits: all, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	child := waitForChild(file)
	if child == 0 {
		t.Fatal("no child")
	}
	defer windows.CloseHandle(child)
	if event, err := windows.WaitForSingleObject(child, 500); err != nil || event != uint32(windows.WAIT_TIMEOUT) {
		t.Errorf("the child ended: %v, %v", event, err)
	}
	if err := windows.TerminateProcess(child, 1); err != nil {
		t.Error(err)
	}
}
