package kubelet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	protocol "github.com/docker-credential-acr/docker-credential-acr/internal/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// kubeletLimit is after how long kubelet ends a provider.
const kubeletLimit = time.Minute

// check reads a CredentialProviderConfig as kubelet does at its start, and runs the
// providers for an image as kubelet does for a pull. A mistake in that file keeps kubelet
// from starting, or is seen only in its log.
func (o options) check(ctx context.Context, env cmdutil.Env, image string) error {
	content, err := safefile.Read(o.checkConfig, safefile.MaxText)
	if err != nil {
		return fmt.Errorf("can't read %s: %w", o.checkConfig, err)
	}
	config, err := protocol.ParseConfig(content)
	if err != nil {
		return fmt.Errorf("kubelet would not start with %s: %w", o.checkConfig, err)
	}
	env.Markf(screen.OK, "%s: kubelet can read it", o.checkConfig)
	image = withoutTag(image)
	asked := false
	for _, p := range config.Providers {
		path, err := o.programOf(p)
		if err != nil {
			return fmt.Errorf("kubelet would not start: provider %s: %w", p.Name, err)
		}
		if !p.Matches(image) {
			env.Markf(screen.Nothing, "provider %s: no pattern of matchImages matches %s", p.Name, image)
			continue
		}
		asked = true
		request, err := o.request(env, p, image)
		if err == nil {
			err = ask(ctx, env, p, path, request)
		}
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
	}
	if !asked {
		return fmt.Errorf("kubelet asks no provider about %s; see: %s %s --print-config", image, cmdutil.Program, Name)
	}
	return nil
}

// withoutTag removes an image's tag and digest, as kubelet does.
func withoutTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") && strings.Contains(image, "/") {
		return image[:colon]
	}
	return image
}

// request returns what kubelet passes to a provider: of the pod's service account, the token
// and the annotations that the provider is configured to get.
func (o options) request(env cmdutil.Env, p protocol.Provider, image string) (protocol.Request, error) {
	r := protocol.Request{Version: p.Version, Image: image}
	t := p.TokenAttributes
	switch {
	case t == nil:
		return r, nil
	case o.tokenFile == "" && *t.Require:
		return r, errors.New("it is asked only with a service account token; pass one with --token-file")
	case o.tokenFile == "":
		env.Markf(screen.Nothing, "provider %s: asked without a service account token, as for a static pod", p.Name)
		return r, nil
	}
	content, err := safefile.ReadAny(o.tokenFile, safefile.MaxText)
	if err != nil {
		return r, fmt.Errorf("can't read %s: %w", o.tokenFile, err)
	}
	r.Token, r.Annotations = secret.New(strings.TrimSpace(string(content))), map[string]string{}
	for _, key := range slices.Concat(t.RequiredAnnotations, t.OptionalAnnotations) {
		if value, ok := o.annotations[key]; ok {
			r.Annotations[key] = value
		} else if slices.Contains(t.RequiredAnnotations, key) {
			return r, fmt.Errorf("it is asked only for service accounts with the annotation %s; pass it with --annotation", key)
		}
	}
	return r, nil
}

// programOf returns the path of a provider's program.
func (o options) programOf(p protocol.Provider) (string, error) {
	dirs := []string{o.binDir}
	if o.binDir == "" {
		beside := filepath.Dir(o.checkConfig)
		dirs = []string{beside, filepath.Join(beside, "bin"), filepath.Join(beside, "credential-provider")}
	}
	for _, dir := range dirs {
		for _, extension := range []string{"", ".exe"} {
			path, err := filepath.Abs(filepath.Join(dir, p.Name+extension))
			if err == nil && subprocess.IsProgram(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %s in %s; set --bin-dir", p.Name, strings.Join(dirs, ", "))
}

// ask runs a provider, and prints what kubelet would do with its answer.
func ask(ctx context.Context, env cmdutil.Env, p protocol.Provider, path string, request protocol.Request) error {
	input, err := request.Encode()
	if err != nil {
		return err
	}
	var variables []string
	for _, v := range p.Env {
		variables = append(variables, v.Name+"="+v.Value)
	}
	var warnings []byte // which kubelet would not show
	runner := subprocess.Runner{Getenv: env.Getenv(), Environ: env.Environ}
	began := env.Now()
	output, err := runner.Run(ctx, subprocess.Command{
		Path: path, Args: p.Args, Stdin: input, Environ: variables, Timeout: kubeletLimit, Messages: &warnings,
		Inherits: func(entry string) bool { return !strings.HasPrefix(entry, "HOME=") }, // a service has none
	})
	took := env.Now().Sub(began).Round(time.Millisecond)
	if exit, ok := errors.AsType[*subprocess.ExitError](err); ok {
		line, _, _ := strings.Cut(strings.TrimSpace(exit.Stderr), "\n") // which kubelet logs
		return fmt.Errorf("failed, so kubelet would pull anonymously: %s", text.Line(line))
	}
	if err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	response, err := protocol.ReadResponse(output, request.Version)
	if err != nil {
		return fmt.Errorf("kubelet would refuse the answer: %w", err)
	}
	env.Markf(screen.OK, "provider %s: answered within %v", p.Name, took)
	for line := range strings.Lines(string(warnings)) {
		env.Markf(screen.Warning, "provider %s: %s", p.Name, text.Line(strings.TrimSpace(line)))
	}
	show(env, response, request.Image)
	return nil
}

// show prints what kubelet would do with an answer, in kubelet's order.
func show(env cmdutil.Env, response protocol.Response, image string) {
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(response.Auth))) {
		if !(protocol.Provider{MatchImages: []string{key}}).Matches(image) {
			env.Markf(screen.Warning, "it has a credential for %s, which does not match the image", key)
			continue
		}
		who := cmp.Or(response.Auth[key].User, "anonymous")
		env.Markf(screen.OK, "kubelet would pull as %s (for %s)", who, key)
	}
	if len(response.Auth) == 0 {
		env.Markf(screen.Warning, "it has no credential, so kubelet would pull anonymously")
	}
	env.Markf(screen.OK, "kubelet would cache this for %v", response.CacheFor)
}
