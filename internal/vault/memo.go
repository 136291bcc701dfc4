package vault

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

const failureSuffix = ".failed"

// A Failure is what a failed fetch leaves for others to share, so that 60
// processes with a wrong secret make one token request. Nothing in it is
// secret, and it lies beside the entry under the entry's name, which a changed
// secret changes too.
type Failure struct {
	Server  string    `json:"server"`
	Hint    string    `json:"code"`
	Text    string    `json:"text"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"until"`
}

func (f *Failure) Error() string { return f.Text }

// Code is what the hint for the failure is looked up by.
func (f *Failure) Code() string { return f.Hint }

// How long a failure is shared: long enough for whoever waits beside the one
// that failed, short enough not to annoy who mends it and tries again. A living
// token gives us time. A server's Retry-After is believed up to a limit.
const (
	shareFailure  = 5 * time.Second
	restAlive     = time.Minute
	maxRetryAfter = 5 * time.Minute
)

// remember notes a failed fetch. A spare token that still lives gives us time,
// but no more than it has left itself. What only this process can't do, because
// of its keyring or its caller's deadline, is no failure of Azure's.
func (v *Vault) remember(ctx context.Context, s sealer, server, name string, failed error, spare secret.Token) {
	var ours *LoginError
	if ctx.Err() != nil || errors.As(failed, &ours) {
		return
	}
	note := Failure{Server: server, Hint: failure.Code(failed), Text: failed.Error(), Since: v.Now()}
	rest := max(shareFailure, min(restAlive, spare.Expires.Sub(note.Since)), min(failure.RetryAfter(failed), maxRetryAfter))
	note.Expires = note.Since.Add(rest)
	content, err := json.Marshal(note)
	if err == nil {
		err = v.write(s.compartment(), failureName(name), content)
	}
	if err != nil {
		v.Log.Debug("the failure could not be noted", "why", err)
	}
}

// readFailure returns the failure noted in a file that is still to be shared;
// nil for none.
func readFailure(root *os.Root, name string, now time.Time) *Failure {
	var note Failure
	content, err := sealed.ReadPrivate(root, name)
	if err != nil || json.Unmarshal(content, &note) != nil || now.Before(note.Since) || !now.Before(note.Expires) {
		return nil
	}
	return &note
}

func failureName(token string) string {
	return strings.TrimSuffix(token, tokenSuffix) + failureSuffix
}
