package kubelet

import (
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A mirror says that images of the registry source come from an Azure registry.
type mirror struct{ source, registry string }

// mirrorOf returns the Azure registry from which images of a registry come; "" for none.
func mirrorOf(mirrors []mirror, name string) string {
	for _, m := range mirrors {
		if strings.EqualFold(m.source, name) {
			return m.registry
		}
	}
	return ""
}

// parseMirrors parses "mcr.microsoft.com:contoso.azurecr.io,…".
func parseMirrors(list string) (mirrors []mirror, err error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	for pair := range strings.SplitSeq(strings.ReplaceAll(list, " ", ""), ",") {
		source, target, ok := strings.Cut(pair, ":")
		if !ok || !text.IsHostName(source) || !text.IsHostName(target) {
			return nil, fmt.Errorf("--registry-mirror %q is not of the form HOST:REGISTRY,…", text.Line(pair))
		}
		mirrors = append(mirrors, mirror{source, strings.ToLower(target)})
	}
	return mirrors, nil
}
