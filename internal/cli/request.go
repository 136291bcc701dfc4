package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
)

// maxRequest is what docker-credential-helpers reads at most of a line.
const maxRequest = 64<<10 - 1

// request reads what the action needs from standard input, and refuses what the
// library would bend: it joins lines and trims, so that "evil\n.azurecr.io"
// would reach us as a registry.
func (w World) request(action string) (io.Reader, error) {
	switch action {
	case credentials.ActionGet, credentials.ActionErase:
		line, err := w.read("the registry, for example contoso.azurecr.io")
		if err != nil {
			return nil, err
		}
		if bytes.ContainsAny(line, "\r\n\x00") {
			if action == credentials.ActionErase {
				return strings.NewReader(nowhere), nil
			}
			return nil, &credhelper.NotFoundError{Why: "the registry's name holds a line break or a NUL"}
		}
		return bytes.NewReader(line), nil
	case credentials.ActionStore:
		line, err := w.read(`{"ServerURL":"contoso.azurecr.io","Username":"…","Secret":"…"}`)
		switch {
		case err != nil:
		case !json.Valid(line):
			err = errors.New("standard input is not the JSON object that docker login writes")
		case !utf8.Valid(line): // decoding would put another character in the place of what isn't
			err = errors.New("standard input is not UTF-8")
		}
		return bytes.NewReader(line), err
	case credentials.ActionList:
		return nil, nil
	}
	return nil, fmt.Errorf("there is no action %q; see: %s --help", action, program)
}

// nowhere is a server under which nothing is stored: erasing it succeeds.
const nowhere = "."

// read returns standard input without the newline that may end it. From a
// terminal it reads one line, and says so.
func (w World) read(what string) ([]byte, error) {
	in := io.LimitReader(w.Stdin, maxRequest+1)
	var content []byte
	var err error
	if w.Terminal {
		fmt.Fprintf(w.Stderr, "%s: type %s, then Enter\n", program, what)
		content, err = bufio.NewReader(in).ReadBytes('\n')
		if err == io.EOF {
			err = nil
		}
	} else {
		content, err = io.ReadAll(in)
	}
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	if len(content) > maxRequest {
		return nil, fmt.Errorf("standard input holds more than %d bytes", maxRequest)
	}
	content = bytes.TrimSuffix(content, []byte("\n"))
	return bytes.TrimSuffix(content, []byte("\r")), nil
}
