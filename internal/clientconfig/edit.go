// Package clientconfig reads and edits the files in which Docker and Podman name their
// credential helpers: Docker's config.json, containers-auth.json(5) and
// containers-registries.conf(5). Edits are functions from text to text.
package clientconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/layout"
)

// Helper is what clients call us: they put docker-credential- before it.
const Helper = "acr"

// Codes of an Error.
const (
	CodeOtherHelper = "client-other-helper"
	CodeLaterFile   = "client-later-file"
	CodeMalformed   = "client-file-malformed"
	CodeDropIn      = "client-drop-in"
)

// An Error is why a client's file was left as it is. It quotes nothing of the file
// but names of helpers and registries.
type Error struct{ code, why string }

func (e *Error) Error() string { return e.why }

// Code is what to look a hint up by.
func (e *Error) Code() string { return e.code }

func malformed(format string, args ...any) error {
	return &Error{CodeMalformed, fmt.Sprintf(format, args...)}
}

// Keys of Docker's config.json and containers-auth.json(5).
const (
	helpersKey = "credHelpers"
	storeKey   = "credsStore"
	loginsKey  = "auths"
)

// SetHelper has a registry answered by us. Another helper's entry is an error, unless
// forced.
func SetHelper(text []byte, host string, force bool) ([]byte, error) {
	text = orEmpty(text)
	for {
		d, err := open(text, helpersKey)
		switch {
		case err != nil:
			return nil, err
		case d.at < 0:
			text = layout.Insert(text, d.top, 0, d.style, helpersKey, "{}")
			continue
		case d.null():
			text = layout.Splice(text, d.top.Members[d.at].Value, d.top.Members[d.at].End, "{}")
			continue
		}
		return d.setString(d.inner, 1, host, exactly, force)
	}
}

// SetStore has every registry without a helper of its own answered by us.
func SetStore(text []byte, force bool) ([]byte, error) {
	text = orEmpty(text)
	d, err := open(text, storeKey)
	if err != nil {
		return nil, err
	}
	return d.setString(d.top, 0, storeKey, strings.EqualFold, force)
}

// UnsetHelper undoes SetHelper for a registry, or for all of them where it is "". What
// names another helper stays.
func UnsetHelper(text []byte, host string) ([]byte, error) {
	for {
		d, err := open(orEmpty(text), helpersKey)
		if err != nil || d.at < 0 || d.null() {
			return text, err
		}
		i := d.ours(host)
		switch {
		case i < 0:
			return text, nil
		case len(d.inner.Members) == 1:
			return layout.Remove(text, d.top, d.at), nil
		}
		text = layout.Remove(text, d.inner, i)
	}
}

// UnsetStore undoes SetStore.
func UnsetStore(text []byte) ([]byte, error) {
	d, err := open(orEmpty(text), storeKey)
	if err != nil || d.at < 0 || d.name(d.top.Members[d.at]) != Helper {
		return text, err
	}
	return layout.Remove(text, d.top, d.at), nil
}

// RemoveLogin takes out what a file holds for a server.
func RemoveLogin(text []byte, server string) ([]byte, error) {
	d, err := open(orEmpty(text), loginsKey)
	if err != nil {
		return nil, err
	}
	i, err := find(d.inner, server, exactly)
	if err != nil || i < 0 {
		return text, err
	}
	return layout.Remove(text, d.inner, i), nil
}

// A document is a file's text with one of its keys looked up.
type document struct {
	text  []byte
	top   layout.Object
	style layout.Style
	at    int           // of the key among the members of top; -1 if it is absent
	inner layout.Object // the key's value, where that is an object
}

func open(text []byte, key string) (d document, err error) {
	if !json.Valid(text) {
		return d, malformed("it is not valid JSON")
	}
	d.text = text
	if d.top, err = layout.At(text, 0); err != nil {
		return d, malformed("%v", err)
	}
	d.style = layout.StyleOf(text, d.top)
	if d.at, err = find(d.top, key, strings.EqualFold); err != nil || d.at < 0 || d.null() || key == storeKey {
		return d, err
	}
	if d.inner, err = layout.At(text, d.top.Members[d.at].Value); err != nil {
		return d, malformed("its %s is not an object", key)
	}
	return d, nil
}

func find(o layout.Object, key string, same func(a, b string) bool) (int, error) {
	i, err := o.Find(key, same)
	if err != nil {
		return -1, malformed("%v", err)
	}
	return i, nil
}

func (d document) null() bool {
	m := d.top.Members[d.at]
	return string(d.text[m.Value:m.End]) == "null"
}

// name is the helper that a member names; "" if it is no string.
func (d document) name(m layout.Member) (name string) {
	_ = json.Unmarshal(d.text[m.Value:m.End], &name)
	return name
}

// ours finds the entry for a registry, or the next for any, that names us.
func (d document) ours(host string) int {
	for i, m := range d.inner.Members {
		if (host == "" || m.Key == host) && d.name(m) == Helper {
			return i
		}
	}
	return -1
}

// setString makes one of an object's members name us.
func (d document) setString(o layout.Object, depth int, key string, same func(a, b string) bool, force bool) ([]byte, error) {
	const value = `"` + Helper + `"`
	i, err := find(o, key, same)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return layout.Insert(d.text, o, depth, d.style, key, value), nil
	}
	switch other := d.name(o.Members[i]); {
	case other == Helper:
		return d.text, nil
	case other != "" && other != "docker-credential-"+Helper && !force: // which is a slip of the pen
		return nil, &Error{CodeOtherHelper, fmt.Sprintf("%s is already answered by the helper %q", subject(key), other)}
	}
	return layout.Splice(d.text, o.Members[i].Value, o.Members[i].End, value), nil
}

func subject(key string) string {
	if key == storeKey {
		return "every registry (" + storeKey + ")"
	}
	return key
}

func exactly(a, b string) bool { return a == b }

// orEmpty lets an empty file be an empty object, as clients do.
func orEmpty(text []byte) []byte {
	if len(bytes.TrimSpace(text)) == 0 {
		return []byte("{}\n")
	}
	return text
}
