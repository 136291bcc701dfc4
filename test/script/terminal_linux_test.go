package script

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func init() { commands["terminal"] = terminalCommand }

// escape is a colour.
var escape = regexp.MustCompile("\x1b\\[[0-9]+m")

// terminalCommand runs the program in a terminal of so many columns, in which the lines of
// INPUT are typed. Its standard output is what the user sees, with colours as ^[[32m and
// without what differs from run to run. No line may be wider than the terminal.
//
//	terminal COLUMNS [-in INPUT] ARGUMENTS...
func terminalCommand(ts *testscript.TestScript, neg bool, args []string) {
	columns, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	input := ""
	if len(args) > 0 && args[0] == "-in" {
		input, args = ts.ReadFile(args[1]), args[2:]
	}
	shown, err := runInTerminal(ts, columns, input, args)
	if (err != nil) != neg {
		ts.Fatalf("%v\n%s", err, shown)
	}
	for line := range strings.Lines(escape.ReplaceAllString(shown, "")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
	fmt.Fprint(ts.Stdout(), masked(ts, strings.ReplaceAll(shown, "\x1b", "^[")))
}

// runInTerminal returns what was shown. The home directory gets a path of a fixed length
// there, because that decides where lines are wrapped.
func runInTerminal(ts *testscript.TestScript, columns int, input string, args []string) (string, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	defer master.Close()
	fd := int(master.Fd())
	ts.Check(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	ts.Check(err)
	ts.Check(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	defer tty.Close()
	cmd := exec.Command(filepath.Join(ts.Getenv("BIN"), "docker-credential-acr"), args...)
	for _, name := range append(environment, "TERM", "NO_COLOR") {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	home := fmt.Sprintf("/tmp/%08x", crc32.ChecksumIEEE([]byte(ts.Getenv("WORK")))) // scripts run at the same time
	_ = os.Remove(home)
	ts.Check(os.Symlink(ts.Getenv("HOME"), home))
	defer os.Remove(home)
	cmd.Env = append(cmd.Env, "HOME="+home, "DOCKER_CREDENTIAL_ACR_HOME="+home+"/acr")
	cmd.Dir = ts.Getenv("WORK")
	// It is not the program's controlling terminal: that is hung up when the program ends, and what the kernel has not yet
	// passed on is lost.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	ts.Check(cmd.Start())
	tty.Close()
	shown := converse(ts, master, input)
	err = cmd.Wait()
	return strings.NewReplacer("\r\n", "\n", home, "/home/ada").Replace(shown), err
}

// converse types each line of the input after a prompt, which ends with a colon, and
// returns what was shown.
func converse(ts *testscript.TestScript, master *os.File, input string) string {
	var shown []byte
	buffer := make([]byte, 4096)
	for {
		n, err := master.Read(buffer)
		shown = append(shown, buffer[:n]...)
		if errors.Is(err, syscall.EIO) { // the program has ended
			return string(shown)
		}
		ts.Check(err)
		if line, rest, ok := strings.Cut(input, "\n"); ok && bytes.HasSuffix(shown, []byte(": ")) {
			_, err := io.WriteString(master, line+"\n")
			ts.Check(err)
			input = rest
		}
	}
}
