package kubelet

import (
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	protocol "github.com/docker-credential-acr/docker-credential-acr/internal/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// print prints a CredentialProviderConfig that runs this program, under the name of the one
// that it can replace, with the arguments that were given.
func (o options) print(env cmdutil.Env, azureJSON string, mirrors []mirror) error {
	var k selection.Kubelet
	if azureJSON != "" {
		if node, err := protocol.ReadAzureJSON(azureJSON, env.Getenv()); err == nil { // there may be none here
			k.Node = &node
		}
	}
	a, err := app.OpenKubelet(env.Env, k)
	if err != nil {
		return err
	}
	if err := a.Config.Err(); err != nil {
		return err
	}
	p := protocol.Provider{Name: PeerProgram, Args: o.args(azureJSON)}
	if o.serviceAccounts {
		required := false // static pods have none
		p.TokenAttributes = &protocol.TokenAttributes{
			Audience: registry.TokenExchange, CacheType: "ServiceAccount", Require: &required,
			OptionalAnnotations: []string{protocol.ClientIDAnnotation, protocol.TenantIDAnnotation},
		}
		if o.serverName != "" {
			p.TokenAttributes.Audience = selection.BindingAudience
		}
	}
	content, err := protocol.NewConfig(p, patterns(a.Clouds, mirrors)).Encode()
	if err == nil {
		_, err = text.Writer{Out: env.Stdout}.Write(content)
	}
	return err
}

// args returns the arguments for kubelet to pass.
func (o options) args(azureJSON string) (args []string) {
	if azureJSON != "" {
		args = append(args, azureJSON)
	}
	for _, flag := range [][2]string{
		{"registry-mirror", o.mirrors},
		{"ib-sni-name", o.serverName},
		{"ib-apiserver-ip", o.apiServer},
		{"ib-default-client-id", o.clientID},
		{"ib-default-tenant-id", o.tenant},
	} {
		if flag[1] != "" {
			args = append(args, "--"+flag[0]+"="+flag[1])
		}
	}
	if o.caFile != clusterCA {
		args = append(args, "--ib-ca-file="+o.caFile)
	}
	return args
}

// patterns returns the patterns of all registries, regional endpoints included: kubelet's
// star stands for one part of a name.
func patterns(clouds registry.Clouds, mirrors []mirror) (found []string) {
	suffixes := registry.Suffixes()
	for _, c := range clouds {
		if c.Suffix != "" {
			suffixes = append(suffixes, c.Suffix)
		}
	}
	for _, suffix := range suffixes {
		found = append(found, "*."+suffix)
	}
	for _, suffix := range suffixes {
		found = append(found, "*.*.geo."+suffix)
	}
	for _, c := range clouds {
		if c.Host != "" {
			found = append(found, c.Host)
		}
	}
	for _, m := range mirrors {
		found = append(found, strings.ToLower(m.source))
	}
	return found
}
