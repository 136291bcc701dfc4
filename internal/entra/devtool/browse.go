package devtool

import (
	"errors"
	"runtime"
)

// openers are the programs that open an address in the user's browser, by
// operating system; the first that there is.
var openers = map[string][][]string{
	"windows": {{"rundll32", "url.dll,FileProtocolHandler"}},
	"darwin":  {{"open"}},
	"":        {{"xdg-open"}, {"x-www-browser"}, {"www-browser"}, {"wslview"}}, // Linux and its relatives
}

// Browse opens an address in the user's browser and doesn't wait for it. (It is no
// library's work, because those hand the browser our whole environment.)
func (t Tools) Browse(address string) error {
	candidates, ok := openers[runtime.GOOS]
	if !ok {
		candidates = openers[""]
	}
	for _, opener := range candidates {
		path := t.Find(opener[0])
		if path == "" {
			continue
		}
		return t.runner().Start(path, append(opener[1:], address)...)
	}
	return errors.New("there is no program to open a browser with")
}
