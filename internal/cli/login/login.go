// Package login is the command that people sign in by.
//
// (The package is a little longer than a room of this house should be: there are nine
// ways to sign in, each with its flags and its help.)
package login

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// everyRegistry is what one logs in to who names no registry.
const everyRegistry = "*.azurecr.io"

// loginFlags are the flags of login, as they were typed.
type loginFlags struct {
	certificate, tokenFile, secretFile, username             string
	tenant, clientID, objectID, resourceID, subscription, as string
	sendChain                                                bool

	named bool     // a registry or pattern was named
	typed []string // the names of the flags that were typed
}

// Command is login.
func Command(d desk.Desk) *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use:   "login [REGISTRY|PATTERN]",
		Short: "sign in once, for a registry or for all that a pattern matches",
		Long: `Sign in to a registry, or to all that a pattern matches ('*.azurecr.io' if you
name none). Nothing is kept before it has worked, and what is kept is sealed.
Without a way to sign in the last one is repeated, or on a terminal you are
asked.`,
		Example:     "  " + desk.Program + " login contoso.azurecr.io --browser --client-id azure-cli",
		Annotations: map[string]string{desk.FlagsHelp: flagsHelp},
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return mistype.Errorf("login takes one REGISTRY or PATTERN; see: %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			target := everyRegistry
			if f.named = len(args) == 1; f.named {
				target = args[0]
			}
			if err := f.read(c.Flags()); err != nil {
				return err
			}
			return typed(target, login(c.Context(), d, target, f))
		},
	}
	flags := c.Flags()
	flags.Bool("browser", false, "sign in with a browser on this machine")
	flags.Bool("device-code", false, "sign in with a browser on any machine, by a code")
	flags.Bool("service-principal", false, "be an application; its secret is asked for, or read from standard input")
	flags.StringVar(&f.certificate, "certificate", "", "be an application with the certificate and key in this file (PEM or PKCS#12)")
	flags.StringVar(&f.tokenFile, "federated-token-file", "", "be an application that the token in this file vouches for")
	flags.Bool("managed-identity", false, "be this machine's managed identity")
	flags.Bool("azure-cli", false, "be whoever is signed in to Azure CLI")
	flags.Bool("anonymous", false, "be nobody: leave this registry alone")
	flags.StringVar(&f.username, "username", "", "be the registry's admin user, or a token of its own, of this name")
	flags.Bool("password-stdin", false, "read the password from standard input, as without a terminal")
	flags.StringVar(&f.tenant, "tenant", "", "the tenant's id or domain")
	flags.StringVar(&f.clientID, "client-id", "", "the application's id; azure-cli stands for Azure CLI's own")
	flags.StringVar(&f.objectID, "object-id", "", "the managed identity's object id")
	flags.StringVar(&f.resourceID, "resource-id", "", "the managed identity's resource id")
	flags.StringVar(&f.subscription, "subscription", "", "the name or id of the subscription whose account Azure CLI shall use")
	flags.StringVar(&f.as, "login-hint", "", "the account to offer in the browser")
	flags.StringVar(&f.secretFile, "secret-file", "", "read the secret, or the certificate's password, from this file")
	_ = c.RegisterFlagCompletionFunc("client-id", cobra.FixedCompletions([]string{identity.AzureCLIWord}, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"username", "tenant", "object-id", "resource-id", "subscription", "login-hint"} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	flags.BoolVar(&f.sendChain, "send-certificate-chain", false, "send the chain, for applications that trust a subject name and issuer")
	return c
}

// read notes which flags were typed. An empty value is that of a variable which isn't
// set, and --browser=false is no wish for a browser.
func (f *loginFlags) read(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		if value == "" {
			err = mistype.Errorf("--%s is empty", flag.Name)
		}
		if flag.Value.Type() != "bool" || value == "true" {
			f.typed = append(f.typed, flag.Name)
		}
	})
	return err
}

// typed says of a failure that it is about what was typed.
func typed(target string, err error) error {
	err = desk.About(target, err)
	if failed := new(credhelper.Error); errors.As(err, &failed) && failed.Source == "" {
		failed.Source = hint.Typed
	}
	return err
}

const flagsHelp = `  --browser, --device-code     a person, with a browser here, or anywhere
                               [--tenant T] [--login-hint ACCOUNT]
  --service-principal          an application; its secret is asked for, or read
                               from standard input or [--secret-file FILE]
  --certificate FILE           an application, by PEM or PKCS#12; a password is
                               read as a secret is [--send-certificate-chain]
  --federated-token-file FILE  an application that the token in FILE vouches for
      These want --client-id ID (azure-cli is Azure CLI's own) and, but for
      people, --tenant T.
  --managed-identity           this machine's; of several the one that
                               --client-id, --object-id or --resource-id names
  --azure-cli                  whoever az knows [--tenant T] [--subscription S]
  --username NAME              the registry's own user [--password-stdin]
  --anonymous                  nobody: leave the registry alone
`

// An attempt is one run of login.
type attempt struct {
	desk.Desk
	rooms  *wiring.Rooms
	target string        // a host or pattern
	host   registry.Host // the host, or one that the pattern matches
	flags  loginFlags
	before *identity.Login // the login to be replaced; nil for none
	entry  config.Entry
}

// A proven login is one that has just worked.
type proven struct {
	identity.Login
	// id is who has signed in, where the login itself doesn't say (it names no more
	// than where to ask).
	id     identity.Identity
	sealed secret.String
	access secret.Token
}

func login(ctx context.Context, d desk.Desk, target string, f loginFlags) error {
	a, err := newAttempt(d, target, f)
	if err != nil {
		return err
	}
	how, err := a.method()
	if err != nil {
		return err
	}
	if err := a.rooms.Vault.Ready(ctx); err != nil { // before anybody takes the trouble
		return err
	}
	p, err := how(ctx)
	if err != nil {
		return err
	}
	p.Server = a.target
	return a.keep(ctx, p)
}

func newAttempt(d desk.Desk, target string, f loginFlags) (*attempt, error) {
	rooms, err := d.Open()
	if err != nil {
		return nil, err
	}
	clouds, err := rooms.Identities.Config.Clouds()
	if err != nil {
		return nil, err
	}
	a := &attempt{Desk: d, rooms: rooms, flags: f}
	if a.target, a.host, err = desk.ReadTarget(clouds, target); err != nil {
		return nil, err
	}
	if a.entry, err = rooms.Identities.Config.Entry(a.host); err != nil {
		return nil, err
	}
	// An old login that can't be read is about to be replaced.
	a.before, _ = rooms.Vault.Login(a.target)
	return a, a.checkFlags()
}

// checkFlags refuses what no way to sign in could use.
func (a *attempt) checkFlags() error {
	f := a.flags
	if f.clientID != "" && !identity.IsGUID(f.clientID) && f.clientID != identity.AzureCLIWord {
		return mistype.Errorf("--client-id is neither a GUID nor %s", identity.AzureCLIWord)
	}
	if slices.Contains(f.typed, "anonymous") && a.target == everyRegistry && !f.named {
		return mistype.Errorf("say which registry, or pattern, is to be left alone")
	}
	if f.tenant != "" && !identity.IsTenant(f.tenant) {
		return mistype.Errorf("--tenant is neither a GUID nor a domain")
	}
	return nil
}

// clientID is the application that was named, or that the last login or the config
// file names.
func (a *attempt) clientID(kind identity.Kind) string {
	id := a.flags.clientID
	if a.before != nil && a.before.Kind == kind {
		id = cmp.Or(id, a.before.ClientID)
	}
	if a.entry.Identity == kind {
		id = cmp.Or(id, a.entry.ClientID)
	}
	if id == identity.AzureCLIWord {
		return azureCLIClientID
	}
	return id
}

// azureCLIClientID is the application of Azure CLI, a public client that every
// tenant knows. Whoever signs in by it is seen by tenants as Azure CLI.
const azureCLIClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

func (a *attempt) tenant(kind identity.Kind) string {
	tenant := a.flags.tenant
	if a.before != nil && a.before.Kind == kind {
		tenant = cmp.Or(tenant, a.before.Tenant)
	}
	return cmp.Or(tenant, a.entry.Tenant)
}
