package login

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
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

	// keyring is where the key is kept from now on; "" for where it is anyway.
	keyring string

	named bool     // a registry or pattern was named
	typed []string // the names of the flags that were typed
}

// define adds the flags to the command.
func (o *options) define(c *cobra.Command) {
	flags, l := c.Flags(), &o.login
	flags.Bool("browser", false, "Sign in as a user, in a browser on this computer")
	flags.Bool("device-code", false, "Sign in as a user, with a code that you enter in a browser on any computer")
	flags.Bool("service-principal", false,
		"Sign in with a client secret, from --secret-file, standard input or a prompt")
	flags.StringVar(&o.certificateFile, "certificate", "",
		"Sign in with the certificate and key in `FILE` (PEM or PKCS#12)")
	flags.StringVar(&l.TokenFile, "federated-token-file", "",
		"Sign in with the federated token in `FILE`, which is read at each sign-in")
	flags.Bool("managed-identity", false, "Use this computer's managed identity")
	flags.Bool("azure-cli", false, "Use the account of Azure CLI (az login)")
	flags.StringVar(&l.User, "username", "", "Sign in as the registry user `NAME` (admin user or repository-scoped token)")
	flags.Bool("anonymous", false, "Don't sign in: pull anonymously")
	for _, m := range methods {
		_ = flags.SetAnnotation(m.flag, cmdutil.MethodFlag, nil)
	}
	flags.StringVar(&l.ClientID, "client-id", "",
		"Client `ID` of the application (for users by default azure-cli, Azure CLI's own) or of the managed identity")
	flags.StringVar(&l.Tenant, "tenant", "", "ID or domain of the `TENANT`")
	flags.StringVar(&l.ObjectID, "object-id", "", "Object `ID` of the managed identity")
	flags.StringVar(&l.ResourceID, "resource-id", "", "Resource `ID` of the managed identity")
	flags.StringVar(&l.Subscription, "subscription", "", "Use the Azure CLI account of this `SUBSCRIPTION` (name or ID)")
	flags.StringVar(&o.loginHint, "login-hint", "", "Suggest this `ACCOUNT` in the browser")
	flags.StringVar(&o.secretFile, "secret-file", "", "Read the secret or password from `FILE`")
	flags.Bool("password-stdin", false, "Read the password of --username from standard input")
	flags.BoolVar(&l.SendChain, "send-certificate-chain", false,
		"Send the certificate's chain (for subject name and issuer authentication)")
	flags.StringVar(&o.keyring, keyringFlag, "",
		"Keep the encryption key in `KEYRING` (os, kernel or file), from now on in every session")
	_ = c.RegisterFlagCompletionFunc(keyringFlag,
		cobra.FixedCompletions([]string{keystore.OS, keystore.Kernel, keystore.File}, cobra.ShellCompDirectiveNoFileComp))
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
	case o.isTyped(keyringFlag) && !keystore.IsBackend(o.keyring):
		return cmdutil.UsageErrorf("--%s must be os, kernel or file", keyringFlag)
	case tenant != "" && !text.IsTenant(tenant):
		return cmdutil.UsageErrorf("--tenant must be a GUID or a domain")
	}
	return nil
}

// requireUsed refuses flags that the method doesn't use.
func (o *options) requireUsed(m method) error {
	for _, flag := range o.typed {
		if flag != m.flag && flag != keyringFlag && !slices.Contains(strings.Fields(m.uses), flag) {
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
	if current := a.app.Current(a.host); current != "" {
		a.Note(screen.Shorten("Current identity: " + current))
	}
	a.Notef("")
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
		options = append(options, option{label: "This computer's managed identity", flag: "managed-identity"})
	}
	const ownApplication = "Application (client) ID (Enter for Azure CLI's own)"
	client := []question{{ownApplication, identity.AzureCLIClient, &l.ClientID}}
	application := []question{
		{label: "Application (client) ID", value: &l.ClientID}, {label: "Tenant (ID or domain)", value: &l.Tenant},
	}
	file := question{label: "Certificate file (PEM or PKCS#12)", value: &a.certificateFile}
	options = append(options,
		option{"Browser", "browser", client},
		option{"Device code (browser on another computer)", "device-code", client},
		option{"Service principal (secret)", "service-principal", application},
		option{"Service principal (certificate)", "certificate", append(application, file)},
	)
	if a.target == a.host.String() {
		name := []question{{label: "Username", value: &l.User}}
		options = append(options, option{"Registry user (admin user, or repository-scoped token)", "username", name})
	}
	if a.named {
		options = append(options, option{"Don't sign in (anonymous pull only)", "anonymous", nil})
	}
	return options
}

// azureCLI returns the account of Azure CLI that could be used.
func (a *attempt) azureCLI() (identity.Identity, error) {
	return a.selector.SelectLogin(a.host, identity.Login{Server: a.target, Kind: identity.AzureCLI})
}
