package login

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// A choice is a way to sign in that this machine has.
type choice struct {
	says string
	// asks are the flags to be asked for, with what is asked.
	asks []question
	do   func(context.Context) (proven, error)
}

// A question asks for the value of a flag. Enter alone takes the usual one, if
// there is one.
type question struct {
	says, usual string
	into        *string
}

// ask shows the choices of this machine to the person at the terminal, and returns
// the way that they take.
func (a *attempt) ask() (func(context.Context) (proven, error), error) {
	in := bufio.NewReader(a.Stdin)
	if id, err := a.rooms.Identities.For(a.host); err == nil && id.Kind != identity.None {
		fmt.Fprintf(a.Stderr, "Without a login, %s is %s (from %s).\n", a.target, id, id.Source)
	}
	choices := a.choices()
	fmt.Fprintf(a.Stderr, "How do you want to sign in for %s?\n", a.target)
	for i, c := range choices {
		fmt.Fprintf(a.Stderr, "  %d  %s\n", i+1, c.says)
	}
	answer, err := a.line(in, "Type a number, then Enter: ")
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > len(choices) {
		return nil, mistype.Errorf("%q is none of the numbers 1 to %d", answer, len(choices))
	}
	chosen := choices[n-1]
	for _, q := range chosen.asks {
		if *q.into != "" {
			continue
		}
		if *q.into, err = a.line(in, q.says+": "); err != nil {
			return nil, err
		}
		if *q.into == "" {
			*q.into = q.usual
		}
	}
	return chosen.do, a.checkFlags()
}

// choices are the ways that can work here, the most likely one first.
func (a *attempt) choices() (choices []choice) {
	f := &a.flags
	if id, err := a.rooms.Identities.As(a.host, identity.Login{Server: a.target, Kind: identity.AzureCLI}); err == nil {
		choices = append(choices, choice{says: "as " + id.User + ", who is signed in to Azure CLI", do: a.keyless(identity.AzureCLI)})
	}
	if a.rooms.Identities.HasManagedIdentity() {
		choices = append(choices, choice{says: "as the managed identity of this machine", do: a.keyless(identity.ManagedIdentity)})
	}
	client := question{"Client id of the application to sign in to (Enter for Azure CLI's own)", identity.AzureCLIWord, &f.clientID}
	application := []question{{says: "Client id", into: &f.clientID}, {says: "Tenant", into: &f.tenant}}
	return append(choices,
		choice{"with a browser on this machine", []question{client}, a.browser},
		choice{"with a browser on any machine, by a code", []question{client}, a.deviceCode},
		choice{"as an application, with its secret", application, a.servicePrincipal},
		choice{"as an application, with its certificate", append(application, question{says: "File of the certificate and its key", into: &f.certificate}), a.certificate},
		choice{"with the name and password of the registry's admin user or a token of its own", []question{{says: "User name", into: &f.username}}, a.registryUser},
		choice{"not at all: leave it alone, for anonymous pull", nil, a.keyless(identity.Anonymous)},
	)
}

// line asks for one line.
func (a *attempt) line(in *bufio.Reader, prompt string) (string, error) {
	fmt.Fprint(a.Stderr, prompt)
	text, err := in.ReadString('\n')
	if err == io.EOF && text == "" {
		return "", mistype.Errorf("nothing was chosen")
	}
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimSpace(text), nil
}
