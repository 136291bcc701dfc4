package login

import (
	"bufio"
	"cmp"
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
	// flag names it on the command line.
	flag string
	// asks are the flags to be asked for, with what is asked.
	asks []question
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
	if id, err := a.rooms.Identities.For(a.host); err == nil && !id.Nobody() {
		fmt.Fprintf(a.Stderr, "So far you are %s (from %s).\n", id, id.Source)
	}
	choices := a.choices()
	fmt.Fprintf(a.Stderr, "How do you want to sign in for %s?\n", a.target)
	for i, c := range choices {
		fmt.Fprintf(a.Stderr, "  %d  %s\n", i+1, c.says)
	}
	chosen, err := a.choose(in, choices)
	if err != nil {
		return nil, err
	}
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
	w := a.way(chosen.flag)
	return w.do, cmp.Or(a.useful(w), a.checkFlags())
}

// choose asks until one of the choices is made.
func (a *attempt) choose(in *bufio.Reader, choices []choice) (choice, error) {
	for {
		answer, err := a.line(in, "Type a number, then Enter: ")
		if err != nil {
			return choice{}, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(choices) {
			return choices[n-1], nil
		}
		fmt.Fprintf(a.Stderr, "%q is none of the numbers 1 to %d.\n", answer, len(choices))
	}
}

// choices are the ways that can work here, the most likely one first.
func (a *attempt) choices() (choices []choice) {
	f := &a.flags
	if id, err := a.rooms.Identities.As(a.host, identity.Login{Server: a.target, Kind: identity.AzureCLI}); err == nil {
		choices = append(choices, choice{says: "as " + id.User + ", who is signed in to Azure CLI", flag: "azure-cli"})
	}
	if a.rooms.Identities.HasManagedIdentity() {
		choices = append(choices, choice{says: "as the managed identity of this machine", flag: "managed-identity"})
	}
	client := question{"Client id of the application to sign in to (Enter for Azure CLI's own)", identity.AzureCLIWord, &f.clientID}
	application := []question{{says: "Client id", into: &f.clientID}, {says: "Tenant", into: &f.tenant}}
	choices = append(choices,
		choice{"with a browser on this machine", "browser", []question{client}},
		choice{"with a browser on any machine, by a code", "device-code", []question{client}},
		choice{"as an application, with its secret", "service-principal", application},
		choice{"as an application, with its certificate", "certificate", append(application, question{says: "File of the certificate and its key", into: &f.certificate})},
	)
	if a.target == a.host.String() {
		choices = append(choices,
			choice{"with the name and password of the registry's admin user or a token of its own", "username", []question{{says: "User name", into: &f.username}}})
	}
	if f.named {
		choices = append(choices, choice{"not at all: leave it alone, for anonymous pull", "anonymous", nil})
	}
	return choices
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
