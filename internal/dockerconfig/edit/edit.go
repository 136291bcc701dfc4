// Package edit changes the files in which clients name their credential helpers; see
// package dockerconfig. An edit is a function from text to text. It leaves every byte
// that it need not change: users and other programs have their own order and layout in
// these files, and want to find them again.
//
// Value.Patch of github.com/tailscale/hujson and github.com/tidwall/sjson also leave the
// rest of a text as it is, but they don't do what these files need:
//   - What we add continues the file's indentation, line ends, colons and commas. They
//     add compact text on the line of the member before it (hujson, whose documentation
//     recommends to format the whole file afterwards) or of the closing brace (sjson),
//     and don't keep the line ends around that brace.
//   - Clients, which use encoding/json, take credHelpers in any case, but registries
//     exactly. They compare exactly.
//   - Of two members with one name they change the first. Clients use the last, so that
//     is an error here.
//   - hujson accepts comments and trailing commas, sjson any text. Clients don't, so that
//     is an error here.
//
// hujson's syntax tree could replace our parser, but nothing else.
package edit

import (
	"bytes"
	"encoding/json"

	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// Keys of Docker's config.json and containers-auth.json(5).
const (
	helpersKey     = "credHelpers"
	storeKey       = "credsStore"
	credentialsKey = "auths"
)

// SetHelper names this helper for a registry. An entry that names another helper is an
// error, unless forced.
func SetHelper(text []byte, host string, force bool) ([]byte, error) {
	helpers, err := parseSection(text, helpersKey)
	if err == nil && helpers.text == nil {
		helpers, err = parseSection(helpers.top.set(helpers.at, helpersKey, "{}"), helpersKey)
	}
	if err != nil {
		return nil, err
	}
	return setName(helpers.object, host, force)
}

// SetStore names this helper for every registry that has no helper of its own.
func SetStore(text []byte, force bool) ([]byte, error) {
	top, err := parse(orEmpty(text))
	if err != nil {
		return nil, err
	}
	return setName(top, storeKey, force)
}

// setName makes a member of an object name this helper.
func setName(o object, key string, force bool) ([]byte, error) {
	const value = `"` + dockerconfig.Helper + `"`
	i, err := o.find(key)
	if err != nil {
		return nil, err
	}
	other := ""
	if i >= 0 {
		other = helper(o.value(i))
	}
	switch other {
	case dockerconfig.Helper:
		return o.text, nil
	case "", "docker-credential-" + dockerconfig.Helper: // the full name is a mistake that we correct
	default:
		if !force {
			if key == storeKey {
				key = "all registries (" + storeKey + ")"
			}
			return nil, fault.New(fault.ClientOtherHelper, "the helper %q is already configured for %s", other, key)
		}
	}
	return o.set(i, key, value), nil
}

// UnsetHelper removes the entries that name this helper, for the names of registries that
// match accepts.
func UnsetHelper(text []byte, match func(name string) bool) ([]byte, error) {
	helpers, err := parseSection(text, helpersKey)
	if err != nil {
		return nil, err
	}
	var own []int
	for i, m := range helpers.members {
		if match(m.key) && helper(helpers.value(i)) == dockerconfig.Helper {
			own = append(own, i)
		}
	}
	switch len(own) {
	case 0:
		return text, nil
	case len(helpers.members):
		return helpers.top.remove(helpers.at), nil
	}
	return helpers.remove(own...), nil
}

// UnsetStore undoes SetStore.
func UnsetStore(text []byte) ([]byte, error) {
	top, err := parse(orEmpty(text))
	if err != nil {
		return nil, err
	}
	i, err := top.find(storeKey)
	if err != nil || i < 0 || helper(top.value(i)) != dockerconfig.Helper {
		return text, err
	}
	return top.remove(i), nil
}

// DropIn is the content of our drop-in file for containers-registries.conf(5). Helpers
// are asked in order; without the reserved name, credentials in files would not be found
// any more.
const DropIn = `# Written by docker-credential-acr configure --all-registries
credential-helpers = ["` + dockerconfig.Helper + `", "` + dockerconfig.AuthFiles + `"]
`

// UnsetDropIn returns nil for our drop-in file. One that was edited stays.
func UnsetDropIn(text []byte) ([]byte, error) {
	if isDropIn(text) {
		return nil, nil
	}
	return text, nil
}

// isDropIn reports whether a text is our drop-in file, but for the space around it, which
// editors change.
func isDropIn(text []byte) bool {
	return bytes.Equal(bytes.TrimSpace(text), bytes.TrimSpace([]byte(DropIn)))
}

// SetDropIn returns our drop-in file. One that was edited is an error, unless forced.
func SetDropIn(text []byte, force bool) ([]byte, error) {
	if len(bytes.TrimSpace(text)) > 0 && !isDropIn(text) && !force {
		return nil, fault.New(fault.ClientDropIn, "it was not written by docker-credential-acr")
	}
	return []byte(DropIn), nil
}

// RemoveCredential removes the plaintext credential for a server, as the file spells it.
func RemoveCredential(text []byte, server string) ([]byte, error) {
	credentials, err := parseSection(text, credentialsKey)
	if err != nil {
		return nil, err
	}
	i, err := credentials.find(server)
	if err != nil || i < 0 {
		return text, err
	}
	return credentials.remove(i), nil
}

// A section is an object that is a member of the outermost one.
type section struct {
	object        // the zero value if there is no such member, or it is null
	top    object // the outermost object
	at     int    // the member's index in top; -1 for none
}

// parseSection parses a text down to one of its sections.
func parseSection(text []byte, key string) (s section, err error) {
	if s.top, err = parse(orEmpty(text)); err != nil {
		return s, err
	}
	if s.at, err = s.top.find(key); err != nil || s.at < 0 || string(s.top.value(s.at)) == "null" {
		return s, err
	}
	var ok bool
	if s.object, ok = s.top.child(s.at); !ok {
		return s, fault.New(fault.ClientMalformed, "its %s is not a JSON object", key)
	}
	return s, nil
}

// helper returns the helper that a value names; "" if it is not a string.
func helper(value []byte) (name string) {
	_ = json.Unmarshal(value, &name)
	return name
}

// orEmpty makes an empty file an empty object, as clients do.
func orEmpty(text []byte) []byte {
	if len(bytes.TrimSpace(text)) == 0 {
		return []byte("{}\n")
	}
	return text
}
