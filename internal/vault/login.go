package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

const loginSuffix = ".login"

// CodeSealed is the code of every LoginError, for hints.
const CodeSealed = "login-sealed"

// A LoginError says why a stored login can't be used. Nothing is deleted: the
// same login opens again when its key is back.
type LoginError struct {
	Server string
	Why    error
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("opening the stored login: %v", e.Why)
}

func (e *LoginError) Unwrap() error { return e.Why }

// Code is what the hint is looked up by.
func (e *LoginError) Code() string { return CodeSealed }

// RetryAfter is zero: nobody asked to wait.
func (e *LoginError) RetryAfter() time.Duration { return 0 }

// Login finds the login that was stored for a server, without any key; nil for
// none. Of several in different compartments it takes the newest that can be
// opened here. One that can't be read is an error, never absent.
func (v *Vault) Login(server string) (*identity.Login, error) {
	root, err := v.open()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, v.unlessNone(server, err)
	}
	defer root.Close()
	found, unreadable := v.logins(root, server)
	if len(found) == 0 {
		return nil, unreadable
	}
	login := found[0].Login
	login.Compartment = found[0].compartment
	return &login, nil
}

// unlessNone turns the vault's own trouble into an error only where it matters:
// a vault that is open to others is still looked into by name.
func (v *Vault) unlessNone(server string, trouble error) error {
	found, err := fs.Glob(os.DirFS(v.Dir), "*/"+loginName(server))
	if err == nil && len(found) == 0 {
		v.Log.Debug("working without a vault", "why", trouble)
		return nil
	}
	return &LoginError{server, trouble}
}

// logins lists the logins of a server, the one to use first.
func (v *Vault) logins(root *os.Root, server string) (found []placed, unreadable error) {
	name := loginName(server)
	for _, c := range v.compartments(root) {
		f, err := sealed.Read(root, path.Join(c, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			unreadable = &LoginError{server, err}
		default:
			found = append(found, placed{f, c})
		}
	}
	usable := v.Keys.Homes()
	elsewhere := func(p placed) int {
		if slices.Contains(usable, sealed.HomeOf(p.compartment)) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(found, func(a, b placed) int {
		return cmp.Or(elsewhere(a)-elsewhere(b), b.Issued.Compare(a.Issued))
	})
	return found, unreadable
}

// Secret opens the secret of a login that Login found: one keyring read.
func (v *Vault) Secret(ctx context.Context, l identity.Login) (secret.String, error) {
	plain, err := v.openLogin(ctx, l)
	if err != nil {
		return secret.String{}, &LoginError{l.Server, err}
	}
	return secret.New(string(plain)), nil
}

func (v *Vault) openLogin(ctx context.Context, l identity.Login) ([]byte, error) {
	root, err := v.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := sealed.Read(root, path.Join(l.Compartment, loginName(l.Server)))
	if err != nil {
		return nil, err
	}
	home := sealed.HomeOf(l.Compartment)
	if !slices.Contains(v.Keys.Homes(), home) {
		return nil, fmt.Errorf("its key lies in the %q keyring, which can't be reached from here", home)
	}
	key, err := v.Keys.Key(ctx, home)
	if err != nil {
		return nil, err
	}
	if sealed.Compartment(home, key) != l.Compartment {
		return nil, fmt.Errorf("its key is no longer in the %q keyring", home)
	}
	return f.Unseal(key)
}

// PutLogin seals a login and says which home holds the key. It makes the
// login's fingerprint, so that whatever was earned before is not found again.
func (v *Vault) PutLogin(ctx context.Context, l identity.Login, value secret.String) (home string, err error) {
	s, err := v.sealer(ctx)
	if err != nil {
		return "", err
	}
	l.Fingerprint = rand.Text()
	name := loginName(l.Server)
	content, err := sealed.Seal(sealed.Header{Login: l, Issued: v.Now()}, name, s.key, []byte(value.Reveal()))
	if err != nil {
		return "", err
	}
	if len(content) > sealed.MaxFile {
		return "", fmt.Errorf("a secret of %d bytes is too long to be kept", len(value.Reveal()))
	}
	return s.home, v.write(s.compartment(), name, content)
}

// loginName is the name of a login's file. The server is hashed, because as a
// credsStore the vault holds names with slashes and of any length.
func loginName(server string) string { return hashName("login", server) + loginSuffix }
