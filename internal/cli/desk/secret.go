package desk

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// maxSecret is far above any secret or password that people have.
const maxSecret = 16 << 10

// Secret reads a secret of one line from the terminal, without an echo, or from
// standard input where no terminal is or where that is said. It never comes from an
// argument, which every user of the machine could read.
func (d Desk) Secret(what string, fromStdin bool) (secret.String, error) {
	if d.Terminal && !fromStdin {
		fmt.Fprintf(d.Stderr, "type %s (it is not shown), then Enter: ", what)
		content, err := d.Password()
		fmt.Fprintln(d.Stderr)
		return asSecret(what, content, err)
	}
	content, err := atMost(d.Stdin, maxSecret)
	return asSecret(what, content, err)
}

// SecretFile reads a secret of one line from a file.
func (d Desk) SecretFile(what, path string) (secret.String, error) {
	content, err := ReadFile(path, maxSecret)
	return asSecret(what, content, err)
}

// ReadFile refuses a file that is too long, before it has read all of it. It may be a
// pipe, as of a shell's <(command).
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := atMost(f, most)
	if err == nil && int64(len(content)) > most+2 {
		err = fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	return content, err
}

// atMost leaves room for the end of a line and a byte that is too many.
func atMost(r io.Reader, most int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, most+3)) }

// asSecret takes off what is no part of a secret: the end of its line, and the byte
// order mark that PowerShell may begin with.
func asSecret(what string, content []byte, err error) (secret.String, error) {
	content = bytes.TrimRight(bytes.TrimPrefix(content, []byte("\ufeff")), "\r\n")
	switch {
	case err != nil:
		err = fmt.Errorf("reading %s: %w", what, err)
	case len(content) == 0:
		err = mistype.Errorf("%s is empty", what)
	case len(content) > maxSecret:
		err = mistype.Errorf("%s is longer than %d bytes", what, maxSecret)
	case bytes.ContainsAny(content, "\r\n\x00"):
		err = mistype.Errorf("%s is more than one line", what)
	case !utf8.Valid(content):
		err = mistype.Errorf("%s is not UTF-8", what)
	}
	if err != nil {
		return secret.String{}, err
	}
	return secret.New(string(content)), nil
}
