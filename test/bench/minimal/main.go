// Minimal is the least that a credential helper in Go can do: it reads a request and writes JSON.
package main

import (
	"encoding/json"
	"io"
	"os"
)

func main() {
	server, err := io.ReadAll(os.Stdin)
	if err != nil {
		os.Exit(1)
	}
	credential := struct{ ServerURL, Username, Secret string }{string(server), "user", "secret"}
	if json.NewEncoder(os.Stdout).Encode(credential) != nil {
		os.Exit(1)
	}
}
