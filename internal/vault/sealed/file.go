// Package sealed is the vault's files: how one is laid out, sealed and opened,
// and how it gets onto the disk so that nobody else can write or swap it.
package sealed

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A file is a line with its version, a line with its header in JSON, and the
// sealed secret. Both lines and the file's name are authenticated, so that no
// entry can be passed off as another one.
//
// Files of version 1 are read for ever; files of a later version are left alone.
const (
	magic   = "docker-credential-acr vault "
	version = 1
)

// MaxFile is far above what anything weighs that is kept here (MSAL's cache,
// the largest, has 8 to 40 KB).
const MaxFile = 1 << 20

var (
	// ErrNewer marks an entry that a newer version of the program has written.
	ErrNewer = errors.New("it was stored by a newer version of docker-credential-acr")
	// ErrDamaged marks an entry that isn't what this program wrote.
	ErrDamaged = errors.New("its file is damaged")
)

// A Header is what can be known of an entry without any key.
type Header struct {
	identity.Login
	// Audience completes the identity of a token.
	Audience string `json:"audience,omitempty"`
	// Issued is when the entry was made or the token received, Expires the
	// token's end; both by the local clock.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires,omitzero"`
	// RegistryTenant is the tenant that an ACR token names.
	RegistryTenant string `json:"registryTenant,omitempty"`
}

// encode builds the two clear lines of a file.
func (h Header) encode() ([]byte, error) {
	line, err := json.Marshal(h)
	return fmt.Appendf(nil, "%s%d\n%s\n", magic, version, line), err
}

// A File is a parsed entry whose secret is still sealed.
type File struct {
	Header
	name string // its base name
	head []byte
	body []byte
}

// Parse reads the clear part of a file.
func Parse(name string, content []byte) (File, error) {
	first, rest, ok := bytes.Cut(content, []byte("\n"))
	number, hasMagic := bytes.CutPrefix(first, []byte(magic))
	v, err := strconv.Atoi(string(number))
	switch {
	case !ok || !hasMagic || err != nil:
		return File{}, ErrDamaged
	case v > version:
		return File{}, ErrNewer
	}
	line, body, ok := bytes.Cut(rest, []byte("\n"))
	f := File{name: name, head: content[:len(content)-len(body)], body: body}
	if !ok || json.Unmarshal(line, &f.Header) != nil {
		return File{}, ErrDamaged
	}
	return f, nil
}

// Seal builds a whole file.
func Seal(h Header, name string, key, plain []byte) ([]byte, error) {
	head, err := h.encode()
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, nil, plain, authenticated(head, name)), nil
}

// Unseal returns the secret of a file; any key but its own answers ErrDamaged.
func (f File) Unseal(key []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, f.body, authenticated(f.head, f.name))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// newAEAD chooses AES-256-GCM with random nonces. One key may seal 2^32 files
// before nonces could collide; a vault sees a few a day.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func authenticated(head []byte, name string) []byte {
	return append(append([]byte{}, head...), name...)
}

// Read reads one entry, provided that nobody else could have written it.
func Read(root *os.Root, name string) (File, error) {
	content, err := ReadPrivate(root, name)
	if err != nil {
		return File{}, err
	}
	return Parse(path.Base(name), content)
}

// ReadPrivate reads a file, unless it could be read or written by others.
func ReadPrivate(root *os.Root, name string) ([]byte, error) {
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() { // to open a FIFO would wait for ever
		return nil, cmp.Or(err, ErrDamaged)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if why := owner.Private(info); why != "" {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, why)
	}
	if !info.Mode().IsRegular() || info.Size() > MaxFile {
		return nil, ErrDamaged
	}
	content := make([]byte, info.Size())
	_, err = io.ReadFull(f, content)
	return content, err
}

// Write puts a file into a compartment, whole or not at all: a reader sees the
// old content or the new. A durable file is on the disk when Write returns,
// because a login that is lost can't be made again; a token can.
func Write(root *os.Root, compartment, name string, content []byte, durable bool) error {
	if err := root.Mkdir(compartment, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	temporary := path.Join(compartment, temporaryPrefix+rand.Text())
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if durable {
		err = errors.Join(err, f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = root.Rename(temporary, path.Join(compartment, name))
	}
	if err != nil {
		_ = root.Remove(temporary)
		return err
	}
	if durable {
		syncDir(root, compartment)
		syncDir(root, ".")
	}
	return nil
}

// temporaryPrefix begins the name of a file that is being written.
const temporaryPrefix = "tmp-"

// syncDir makes a rename last. Not every system can, and none needs it to be
// consistent.
func syncDir(root *os.Root, name string) {
	if dir, err := root.Open(name); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
}

// Life is a token's life without the token.
func (h Header) Life() secret.Token { return secret.Token{Issued: h.Issued, Expires: h.Expires} }

// Token opens a token.
func (f File) Token(key []byte) (secret.Token, bool) {
	plain, err := f.Unseal(key)
	token := f.Life()
	token.Value = secret.New(string(plain))
	return token, err == nil
}
