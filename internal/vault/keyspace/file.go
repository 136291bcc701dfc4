// Package keyspace has the vault's files: their format, the directories that they are in,
// and the locks between processes. Each key of the key store has a directory of its own,
// its keyspace, named after the backend and the key's id. No process writes or deletes
// what another key has sealed, so a desktop session, an SSH session without D-Bus and a
// user namespace, which see different keyrings, can't destroy each other's entries.
package keyspace

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A file is a line with its version, a line with its header in JSON, and the sealed
// secret. Both lines and the file's name are authenticated, so that no entry passes for
// another one.
//
// Files of version 1 are always read; files of a later version are not changed.
const (
	magic   = "docker-credential-acr vault "
	version = 1
)

// MaxFile is far above the size of anything that is stored here (MSAL's cache, the
// largest, has 8 to 40 KB).
const MaxFile = 1 << 20

const maxYear = 9999

var (
	errNewer   = &fault.Error{Code: fault.LoginNewer, Reason: "a newer version of docker-credential-acr stored it"}
	errDamaged = &fault.Error{Code: fault.LoginDamaged, Reason: "its file is damaged"}
)

// A Header is what can be known of an entry without any key.
type Header struct {
	identity.Login
	// Audience completes the identity of a token.
	Audience string `json:"audience,omitempty"`
	// Issued is when the entry was made or the token received, Expires when the token
	// ends; both by the local clock.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires,omitzero"`
	// Assertion is the hash of the federated token that obtained the token; "" for none.
	Assertion string `json:"assertion,omitempty"`
	// RegistryTenant is the tenant that an ACR token names.
	RegistryTenant string `json:"registryTenant,omitempty"`
}

// Life returns a token's life without the token.
func (h Header) Life() secret.Token { return secret.Token{Issued: h.Issued, Expires: h.Expires} }

// A File is a parsed entry whose secret is still sealed.
type File struct {
	Header
	// Keyspace is where it was read; "" for a file that was only parsed.
	Keyspace string

	name       string
	head, body []byte
}

// Parse parses the clear part of a file. The error is a fault.LoginNewer or a
// fault.LoginDamaged.
func Parse(name string, content []byte) (File, error) {
	first, rest, ok := bytes.Cut(content, []byte("\n"))
	number, hasMagic := bytes.CutPrefix(first, []byte(magic))
	v, err := strconv.Atoi(string(number))
	switch {
	case !ok || !hasMagic || err != nil:
		return File{}, errDamaged
	case v > version:
		return File{}, errNewer
	}
	line, body, ok := bytes.Cut(rest, []byte("\n"))
	f := File{name: name, head: content[:len(content)-len(body)], body: body}
	// A login that replaces this one gets a later time, which must fit into JSON.
	if !ok || json.Unmarshal(line, &f.Header) != nil || f.Issued.Year() >= maxYear {
		return File{}, errDamaged
	}
	return f, nil
}

// Seal returns the content of a file.
func Seal(h Header, name string, key, plain []byte) ([]byte, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, "%s%d\n%s\n", magic, version, line)
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	content := aead.Seal(head, nil, plain, slices.Concat(head, []byte(name)))
	if len(content) > MaxFile {
		return nil, fmt.Errorf("a secret of %d bytes is too long to be stored", len(plain))
	}
	return content, nil
}

// Unseal returns the secret of a file. With any other key than its own it is a
// fault.LoginDamaged.
func (f File) Unseal(key []byte) (secret.String, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return secret.String{}, err
	}
	plain, err := aead.Open(nil, nil, f.body, slices.Concat(f.head, []byte(f.name)))
	if err != nil {
		return secret.String{}, errDamaged
	}
	return secret.New(string(plain)), nil
}

// newAEAD returns AES-256-GCM with random nonces. One key may seal 2^32 files before
// nonces could collide; a vault has a few a day.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
