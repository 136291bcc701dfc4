package sealed

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Compartment names the directory of what a key of a home has sealed. The id
// is a hash under a label of its own, so it says nothing about the key.
func Compartment(home string, key []byte) string {
	sum := sha256.Sum256(append([]byte("docker-credential-acr key id\n"), key...))
	return home + "-" + hex.EncodeToString(sum[:8])
}

// HomeOf is the home in a compartment's name; "" for other directories.
func HomeOf(compartment string) string {
	home, id, _ := strings.Cut(compartment, "-")
	if len(id) != 16 {
		return ""
	}
	return home
}
