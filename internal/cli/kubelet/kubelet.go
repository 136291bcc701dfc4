// Package kubelet is the command that kubelet runs to pull from private registries, as an
// image credential provider, and what the people who run nodes need for that. It takes the
// arguments of cloud-provider-azure's acr-credential-provider, whose file it can replace.
package kubelet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	protocol "github.com/docker-credential-acr/docker-credential-acr/internal/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

const (
	// Name is the command's.
	Name = "kubelet"
	// PeerProgram is the program that this one can replace. Called by a name that begins
	// like this, the program is this command.
	PeerProgram = "acr-credential-provider"
	// clusterCA has the root certificates of an AKS cluster, on each of its nodes.
	clusterCA = "/etc/kubernetes/certs/ca.crt"
)

// options are the command's flags.
type options struct {
	mirrors, serverName, apiServer, clientID, tenant, caFile string
	printConfig, serviceAccounts                             bool
	checkConfig, binDir, tokenFile                           string
	annotations                                              map[string]string
	version                                                  bool
}

// Command returns the command kubelet, for its help; Main runs it.
func Command(env cmdutil.Env) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   Name + " [AZURE.JSON]",
		Short: "Get credentials for kubelet's image pulls (credential provider)",
		Long: `Answer kubelet, which runs this as an image credential provider.

kubelet passes a CredentialProviderRequest on standard input. The identity is
that of the pod's service account, if the request has its token. Otherwise it
is the one of the config file for the registry, or the one that AZURE.JSON
names (usually /etc/kubernetes/azure.json); without that file, the one of the
environment or of the computer.

If the program's name begins with ` + PeerProgram + `, it takes these
arguments without "kubelet". It can replace the program of that name.`,
		Example: cmdutil.Examples(
			"Print a file for kubelet's --image-credential-provider-config",
			"kubelet /etc/kubernetes/azure.json --print-config",
			"Check such a file, and whether an image could be pulled", `kubelet --check-config credential-provider.yaml \
    contoso.azurecr.io/app`),
		RunE: func(c *cobra.Command, args []string) error { return run(c.Context(), env, o, args) },
	}
	addFlags(c.Flags(), &o)
	return c
}

// addFlags defines the flags.
func addFlags(f *pflag.FlagSet, o *options) {
	f.BoolVar(&o.printConfig, "print-config", false, "Print a CredentialProviderConfig with these arguments")
	f.BoolVar(&o.serviceAccounts, "service-accounts", false, "With --print-config: pass service account tokens")
	f.StringVar(&o.checkConfig, "check-config", "",
		"Check a CredentialProviderConfig `FILE` as kubelet does, and run its providers for an image")
	f.StringVar(&o.binDir, "bin-dir", "", "With --check-config: `DIR` of the providers (default: beside the file)")
	f.StringVar(&o.tokenFile, "token-file", "", "With --check-config: pass the service account token in `FILE`")
	f.StringToStringVar(&o.annotations, "annotation", nil,
		"With --check-config: pass an annotation `KEY=VALUE` of the service account")
	f.StringVarP(&o.mirrors, "registry-mirror", "r", "",
		"Use the credential of an Azure registry for another: `HOST:REGISTRY`,…")
	f.StringVar(&o.serverName, "ib-sni-name", "", "AKS identity bindings: TLS server `NAME`")
	f.StringVar(&o.apiServer, "ib-apiserver-ip", "", "AKS identity bindings: `ADDRESS` of the API server")
	f.StringVar(&o.clientID, "ib-default-client-id", "",
		"AKS identity bindings: client `ID` for service accounts that name none")
	f.StringVar(&o.tenant, "ib-default-tenant-id", "",
		"AKS identity bindings: tenant `ID` for service accounts that name none")
	f.StringVar(&o.caFile, "ib-ca-file", clusterCA, "AKS identity bindings: root certificates in `FILE`")
	f.BoolVar(&o.version, "version", false, "Print the version")
	f.AddFlagSet(ignoredFlags())
	// Kubernetes' programs take both.
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
}

// ignoredFlags returns those of klog, which kubelet's config may pass. They are accepted and
// have no effect.
func ignoredFlags() *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.StringP("v", "v", "", "")
	for _, name := range []string{
		"vmodule", "log-flush-frequency", "log-dir", "log-file", "log-file-max-size", "log-backtrace-at",
		"stderrthreshold", "logging-format",
	} {
		f.String(name, "", "")
	}
	for _, name := range []string{
		"logtostderr", "alsologtostderr", "one-output", "skip-headers", "skip-log-headers", "add-dir-header",
		"log-text-split-stream", "log-json-split-stream",
	} {
		f.Bool(name, false, "")
	}
	f.VisitAll(func(flag *pflag.Flag) { flag.Hidden = true })
	return f
}

// WantsHelp reports whether arguments ask for the command's help.
func WantsHelp(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool { return arg == "--help" || arg == "-h" })
}

// Main runs the command, without the tree of the others, which takes longer to build than
// an answer. kubelet shows nothing of standard error where the status is 0, and all of it
// otherwise, so an error is one line there, and never the usage.
func Main(ctx context.Context, env cmdutil.Env, args []string) (status int) {
	var o options
	flags := pflag.NewFlagSet(Name, pflag.ContinueOnError)
	addFlags(flags, &o)
	flags.SetOutput(text.Writer{Out: env.Stderr})
	flags.Usage = func() {}
	err := flags.Parse(args)
	if err == nil {
		err = run(ctx, env, o, flags.Args())
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "%s: %s\n", cmdutil.Program, text.Line(app.Message(err)))
		return 1
	}
	return 0
}

// run does what the flags say.
func run(ctx context.Context, env cmdutil.Env, o options, args []string) error {
	isVersion := o.version || len(args) == 1 && args[0] == "version"
	switch {
	case isVersion:
		env.Resultf("%s %s", cmdutil.Program, env.Version)
		return nil
	case len(args) > 1:
		return fmt.Errorf("too many arguments; see: %s %s --help", cmdutil.Program, Name)
	case o.checkConfig != "" && len(args) == 0:
		return errors.New("--check-config needs an image, for example contoso.azurecr.io/app")
	case o.checkConfig != "":
		return o.check(ctx, env, args[0])
	}
	azureJSON := append(args, "")[0]
	mirrors, err := parseMirrors(o.mirrors)
	if err != nil {
		return err
	}
	proxy, err := o.proxy()
	switch {
	case err != nil:
		return err
	case o.printConfig:
		return o.print(env, azureJSON, mirrors)
	case env.StdinIsTerminal:
		return fmt.Errorf("kubelet passes a request on standard input; see: %s %s --help", cmdutil.Program, Name)
	}
	k := selection.Kubelet{DefaultClientID: o.clientID, DefaultTenant: o.tenant, Proxy: proxy}
	return serve(ctx, env, k, azureJSON, mirrors)
}

// serve answers one request.
func serve(ctx context.Context, env cmdutil.Env, k selection.Kubelet, azureJSON string, mirrors []mirror) error {
	request, err := protocol.ReadRequest(env.Stdin)
	if err != nil {
		return err
	}
	k.Token, k.Annotations = request.Token, request.Annotations
	a, err := open(env, k, azureJSON)
	if err != nil {
		return cmdutil.About(request.Registry(), err)
	}
	response, err := respond(ctx, a, mirrors, request)
	if err != nil {
		return err
	}
	encoded, err := response.Encode(request.Version)
	if err == nil {
		_, err = env.Stdout.Write(text.JSON(encoded))
	}
	return err
}

// open opens the App with azure.json; "" for no such file.
func open(env cmdutil.Env, k selection.Kubelet, azureJSON string) (*app.App, error) {
	if azureJSON != "" {
		node, err := protocol.ReadAzureJSON(azureJSON, env.Getenv())
		if err != nil {
			return nil, err
		}
		if node.Untrusted != nil { // kubelet shows it only along with an error, --check-config always
			env.Log.Warn(fmt.Sprintf("%s: %v", text.Line(azureJSON), node.Untrusted))
		}
		k.Node = &node
	}
	return app.OpenKubelet(env.Env, k)
}

// respond finds the credential for an image.
func respond(
	ctx context.Context, a *app.App, mirrors []mirror, request protocol.Request,
) (none protocol.Response, err error) {
	name := request.Registry()
	source := mirrorOf(mirrors, name)
	host, err := a.Clouds.ParseHost(cmp.Or(source, name))
	switch {
	case errors.Is(err, registry.ErrNotACR):
		return none, nil
	case err != nil:
		return none, cmdutil.About(name, err)
	}
	c, err := a.Get(ctx, host.String(), false)
	if _, ok := errors.AsType[*app.NotFoundError](err); ok {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	if a.StdoutIsTerminal {
		c.Secret = secret.New("********")
	}
	credential := protocol.Credential{User: c.User, Password: c.Secret}
	auth := map[string]protocol.Credential{name: credential}
	switch {
	case source != "":
		auth[source] = credential
	case request.Token.IsZero() && host.Cloud().Suffix != "":
		// A pod that is refused must not pull anonymously instead; a node may, as it could
		// without this program.
		auth[protocol.AnonymousPattern(name)] = protocol.Credential{}
	}
	return protocol.Response{Auth: auth, CacheFor: protocol.CacheFor(c.Expires, a.Now())}, nil
}

// proxy returns the token proxy of AKS identity bindings; the zero value for none.
func (o options) proxy() (identity.TokenProxy, error) {
	switch {
	case o.serverName == "" && o.apiServer != "":
		return identity.TokenProxy{}, errors.New("--ib-apiserver-ip needs --ib-sni-name")
	case o.serverName == "" && o.clientID+o.tenant != "":
		return identity.TokenProxy{}, errors.New("--ib-default-client-id and --ib-default-tenant-id need --ib-sni-name")
	case o.serverName == "":
		return identity.TokenProxy{}, nil
	case !text.IsHostName(o.serverName):
		return identity.TokenProxy{}, errors.New("--ib-sni-name is not a host name")
	case net.ParseIP(o.apiServer) == nil && !text.IsHostName(o.apiServer):
		return identity.TokenProxy{}, errors.New("--ib-sni-name needs --ib-apiserver-ip, an IP address or a host name")
	}
	host := o.apiServer
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	address := url.URL{Scheme: "https", Host: host}
	return identity.TokenProxy{URL: address.String(), ServerName: o.serverName, CAFile: o.caFile, Direct: true}, nil
}
