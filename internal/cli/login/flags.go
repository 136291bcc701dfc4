package login

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// options are the flags, as they were typed.
type options struct {
	// login has what flags say about the login. It begins as it was typed, and the method
	// completes it.
	login identity.Login
	// The files with a certificate, and with a secret or password; and the account to
	// offer in the browser.
	certificateFile, secretFile, loginHint string

	named bool     // a registry or pattern was named
	typed []string // the names of the flags that were typed
}

// flagsHelp groups the flags by method; one a line, with their usage, they would not fit
// on a screen.
const flagsHelp = `  --browser, --device-code     a user, with a browser here, or anywhere
                               [--tenant T] [--login-hint ACCOUNT]
  --service-principal          a service principal; its secret is asked for, or
                               read from standard input or [--secret-file FILE]
  --certificate FILE           a service principal with a PEM or PKCS#12 file; a
                               password as above [--send-certificate-chain]
  --federated-token-file FILE  an application with the federated token in FILE
      All of these need --client-id ID (azure-cli for Azure CLI's own). All but
      users need --tenant T.
  --managed-identity           this computer's; of several the one that
                               --client-id, --object-id or --resource-id names
  --azure-cli                  the Azure CLI account [--tenant T]
                               [--subscription S]
  --username NAME              a registry user [--password-stdin]
  --anonymous                  no sign-in: anonymous access only
`

// define adds the flags to the command.
func (o *options) define(c *cobra.Command) {
	flags, l := c.Flags(), &o.login
	flags.Bool("browser", false, "sign in with a browser on this computer")
	flags.Bool("device-code", false, "sign in with a browser on any computer, with a code")
	flags.Bool("service-principal", false, "sign in as a service principal with a secret")
	flags.StringVar(&o.certificateFile, "certificate", "", "sign in as a service principal with this certificate and key")
	flags.StringVar(&l.TokenFile, "federated-token-file", "", "sign in as an application with the token in this file")
	flags.Bool("managed-identity", false, "use this computer's managed identity")
	flags.Bool("azure-cli", false, "use the account that is signed in to Azure CLI")
	flags.Bool("anonymous", false, "don't sign in to this registry")
	flags.StringVar(&l.User, "username", "", "use the registry's admin user, or a repository-scoped token, of this name")
	flags.Bool("password-stdin", false, "read the password from standard input, as without a terminal")
	flags.StringVar(&l.Tenant, "tenant", "", "the tenant's id or domain")
	flags.StringVar(&l.ClientID, "client-id", "", "the application's ID; azure-cli for Azure CLI's own")
	flags.StringVar(&l.ObjectID, "object-id", "", "the managed identity's object ID")
	flags.StringVar(&l.ResourceID, "resource-id", "", "the managed identity's resource ID")
	flags.StringVar(&l.Subscription, "subscription", "", "the name or ID of the subscription whose account Azure CLI uses")
	flags.StringVar(&o.loginHint, "login-hint", "", "the account to offer in the browser")
	flags.StringVar(&o.secretFile, "secret-file", "", "read the secret, or the certificate's password, from this file")
	flags.BoolVar(&l.SendChain, "send-certificate-chain", false,
		"send the chain, for applications that trust a subject name and issuer")
	_ = c.RegisterFlagCompletionFunc("client-id",
		cobra.FixedCompletions([]string{identity.AzureCLIClient}, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"username", "tenant", "object-id", "resource-id", "subscription", "login-hint"} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// readFlags records which flags were typed. An empty value comes from a variable that
// isn't set, and --browser=false does not ask for a browser.
func (o *options) readFlags(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		if value == "" {
			err = cmdutil.UsageErrorf("--%s is empty", flag.Name)
		}
		if flag.Value.Type() != "bool" || value == "true" {
			o.typed = append(o.typed, flag.Name)
		}
	})
	return err
}

// isTyped reports whether a flag was typed, and not as --flag=false.
func (o *options) isTyped(flag string) bool { return slices.Contains(o.typed, flag) }

// validate refuses what no method could use.
func (o *options) validate(target string) error {
	client, tenant := o.login.ClientID, o.login.Tenant
	switch {
	case client != "" && !text.IsGUID(client) && client != identity.AzureCLIClient:
		return cmdutil.UsageErrorf("--client-id must be a GUID or %s", identity.AzureCLIClient)
	case o.isTyped("anonymous") && target == allRegistries && !o.named:
		return cmdutil.UsageErrorf("--anonymous needs a registry or pattern")
	case tenant != "" && !text.IsTenant(tenant):
		return cmdutil.UsageErrorf("--tenant must be a GUID or a domain")
	}
	return nil
}

// requireUsed refuses flags that the method doesn't use.
func (o *options) requireUsed(m method) error {
	for _, flag := range o.typed {
		if flag != m.flag && !slices.Contains(strings.Fields(m.uses), flag) {
			return cmdutil.UsageErrorf("--%s does not apply to --%s", flag, m.flag)
		}
	}
	if o.isTyped("password-stdin") && o.secretFile != "" {
		return cmdutil.UsageErrorf("use only one of --password-stdin, --secret-file")
	}
	return nil
}

// merge fills in what was typed last time and isn't now. A service principal's ids are
// looked up where they are needed.
func (o *options) merge(previous *identity.Login) {
	l := &o.login
	switch {
	case previous == nil: // the config file names the method
	case previous.Kind == identity.User:
		o.loginHint = cmp.Or(o.loginHint, previous.User)
	case previous.Kind == identity.RegistryUser:
		l.User = previous.User
	case !previous.HasSecret():
		l.Tenant = cmp.Or(l.Tenant, previous.Tenant)
		l.ClientID = cmp.Or(l.ClientID, previous.ClientID)
		l.ObjectID = cmp.Or(l.ObjectID, previous.ObjectID)
		l.ResourceID = cmp.Or(l.ResourceID, previous.ResourceID)
		l.Subscription = cmp.Or(l.Subscription, previous.Subscription)
		l.TokenFile = previous.TokenFile
	}
}

// An option is a method that can work on this computer.
type option struct {
	label string
	flag  string // the method's
	asks  []question
}

// A question asks for the value of a flag. Enter alone takes the default, if there is
// one.
type question struct {
	label, byDefault string
	value            *string
}

// ask shows the methods that can work here to the user at the terminal, and returns the
// one that they choose.
func (a *attempt) ask() (method, error) {
	if id, err := a.selector.Select(a.host); err == nil && !id.IsAnonymous() {
		a.Notef("Currently: %s (from %s).", id, id.Source)
	}
	a.Notef("How do you want to sign in to %s?", a.target)
	options := a.availableOptions()
	var labels []string
	for _, o := range options {
		labels = append(labels, o.label)
	}
	i, err := a.Choose(labels)
	if err != nil {
		return method{}, err
	}
	for _, q := range options[i].asks {
		if *q.value != "" {
			continue
		}
		if *q.value, err = a.AskLine(q.label + ": "); err != nil {
			return method{}, err
		}
		*q.value = cmp.Or(*q.value, q.byDefault)
	}
	m := methods[slices.IndexFunc(methods, func(m method) bool { return m.flag == options[i].flag })]
	if err := a.requireUsed(m); err != nil {
		return method{}, err
	}
	return m, a.validate(a.target)
}

// availableOptions are the methods that can work here, the most likely one first.
func (a *attempt) availableOptions() (options []option) {
	l := &a.login
	if id, err := a.azureCLI(); err == nil {
		options = append(options, option{label: "Azure CLI account " + id.User, flag: "azure-cli"})
	}
	if a.selector.MayHaveManagedIdentity() {
		options = append(options, option{label: "this computer's managed identity", flag: "managed-identity"})
	}
	const ownApplication = "Client ID of the application to sign in to (Enter for Azure CLI's own)"
	client := []question{{ownApplication, identity.AzureCLIClient, &l.ClientID}}
	application := []question{{label: "Client ID", value: &l.ClientID}, {label: "Tenant", value: &l.Tenant}}
	file := question{label: "File with the certificate and its key", value: &a.certificateFile}
	options = append(options,
		option{"browser on this computer", "browser", client},
		option{"device code (a browser on another computer)", "device-code", client},
		option{"service principal with a secret", "service-principal", application},
		option{"service principal with a certificate", "certificate", append(application, file)},
	)
	if a.target == a.host.String() {
		name := []question{{label: "User name", value: &l.User}}
		options = append(options, option{"registry user: its admin user or a repository-scoped token", "username", name})
	}
	if a.named {
		options = append(options, option{"don't sign in: anonymous pull only", "anonymous", nil})
	}
	return options
}

// azureCLI returns the account of Azure CLI that could be used.
func (a *attempt) azureCLI() (identity.Identity, error) {
	return a.selector.SelectLogin(a.host, identity.Login{Server: a.target, Kind: identity.AzureCLI})
}
