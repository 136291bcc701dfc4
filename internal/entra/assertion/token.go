package assertion

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// maxToken is the longest token to be believed. Those of CI systems have 1 to 2
// KB, with many custom claims 6.
const maxToken = 64 << 10

// skew is how far Entra lets clocks differ.
const skew = 5 * time.Minute

// fromFile reads the token each time: Kubernetes replaces it long before it
// expires. Kubernetes' own path is a symbolic link, so links are followed.
func (c Client) fromFile(path string) (secret.String, error) {
	content, err := readSmall(path, maxToken)
	if err != nil {
		return secret.String{}, err
	}
	return c.stillGood("the token in "+path, strings.TrimSpace(content))
}

// readSmall reads a regular file: a pipe could block for ever, a device never end.
func readSmall(path string, limit int64) (string, error) {
	unreadable := func(why string) (string, error) {
		return "", &Error{why: path + " " + why, code: CodeMissing}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unreadable("does not exist")
	case err != nil:
		return unreadable("can't be read")
	case !info.Mode().IsRegular():
		return unreadable("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return unreadable("can't be read")
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		return unreadable("can't be read")
	case int64(len(content)) > limit:
		return unreadable("is too long")
	case strings.TrimSpace(string(content)) == "":
		return unreadable("is empty")
	}
	return string(content), nil
}

// stillGood refuses a token that Entra would refuse for its age. To say so here
// tells who is to blame: AADSTS700024 could also be a matter of our clock. An issuer
// that answers in this moment isn't checked, because there it could be nothing else.
func (c Client) stillGood(what, token string) (secret.String, error) {
	claims, err := parse(token)
	if err != nil {
		return secret.String{}, &Error{why: what + " is not a JSON Web Token", code: CodeNotToken}
	}
	if claims.ExpiresAt != nil && !c.Now().Before(claims.ExpiresAt.Add(skew)) {
		why := what + " expired at " + claims.ExpiresAt.UTC().Format(time.RFC3339) + " and was not replaced"
		return secret.String{}, &Error{why: why, code: CodeExpired}
	}
	return secret.New(token), nil
}

// parse reads the claims of a token that only Entra can verify.
func parse(token string) (jwt.RegisteredClaims, error) {
	var claims jwt.RegisteredClaims
	if len(token) > maxToken {
		return claims, errors.New("too long")
	}
	_, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	return claims, err
}
