package script

import (
	"context"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// resolve plays the name server: every host has the addresses in $ADDRESSES, and
// those in $UNKNOWN have none.
func resolve(_ context.Context, host string) ([]string, error) {
	for _, unknown := range strings.Fields(os.Getenv("UNKNOWN")) {
		if unknown == host {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
	}
	if addresses := os.Getenv("ADDRESSES"); addresses != "" {
		return strings.Fields(addresses), nil
	}
	return []string{"203.0.113.5"}, nil
}

// masks make of doctor's output what is the same in every run.
var masks = []struct{ pattern, by string }{
	{`(?m) +\d+ ms$`, ""},
	{`"milliseconds": \d+`, `"milliseconds": 0`},
	{`a file of \d{4}-\d\d-\d\d`, "a file of DATE"},
	{`correlation ID [0-9a-f-]+`, "correlation ID ID"},
	{`(?m)^(ok    version    ).*$`, "$1 VERSION"},
	{`("version": |"check": "version",\s+"status": "ok",\s+"code": "ok",\s+"fact": )"[^"]*"`, `$1"VERSION"`},
}

// maskCommand takes from what the last command printed whatever differs from run to
// run, and writes it into a file: mask FILE.
func maskCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(masked(ts, ts.ReadFile("stdout"))), 0o600))
}

// masked is a text without what differs from run to run.
func masked(ts *testscript.TestScript, text string) string {
	for _, m := range masks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.by)
	}
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
	text = strings.ReplaceAll(text, ts.Getenv("BIN"), "$BIN")
	if runtime.GOOS == "windows" {
		text = strings.ReplaceAll(text, `\`, "/")
	}
	return text
}
