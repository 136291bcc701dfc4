package subprocess

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
)

// programExtensions returns those of the user's PATHEXT that need no script host, in the
// user's order: az is a batch file, from pip az.bat.
func programExtensions(getenv func(string) string) []string {
	known := []string{".com", ".exe", ".bat", ".cmd"}
	wanted := slices.DeleteFunc(strings.Split(strings.ToLower(getenv("PATHEXT")), ";"), func(extension string) bool {
		return !slices.Contains(known, extension)
	})
	if len(wanted) == 0 {
		return known
	}
	return wanted
}

// plain are the characters of arguments to which cmd.exe gives no meaning of its own.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:@+"

// runByShell runs a batch file by cmd.exe. Without that, Windows starts cmd.exe itself, with
// a command line of which cmd.exe removes the quotes if there are brackets, as in
// C:\Program Files (x86), or other special characters in the path (cmd /?).
func runByShell(cmd *exec.Cmd) error {
	if extension := strings.ToLower(filepath.Ext(cmd.Path)); extension != ".cmd" && extension != ".bat" {
		return nil
	}
	line, err := batchLine(cmd.Path, cmd.Args[1:])
	if err != nil {
		return err
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return err
	}
	cmd.Path = filepath.Join(system, "cmd.exe")
	cmd.SysProcAttr.CmdLine = `"` + cmd.Path + `" ` + line
	return nil
}

// batchLine returns cmd.exe's arguments: no AutoRun from the registry (/d), no variables in
// exclamation marks (/v:off), and only the outer quotes removed (/s). Quotes don't protect
// percent signs, and there is no safe way to quote arguments: a path with the former, and
// arguments that would need it, are an Error.
func batchLine(path string, args []string) (string, error) {
	if strings.ContainsAny(path, "\"%\r\n") {
		return "", &Error{Reason: "can't be run: its path has a percent sign"}
	}
	for _, arg := range args {
		if arg == "" || strings.Trim(arg, plain) != "" {
			return "", &Error{Reason: "can't be run: cmd.exe would change an argument"}
		}
	}
	return `/d /v:off /s /c ""` + path + `" ` + strings.Join(args, " ") + `"`, nil
}
