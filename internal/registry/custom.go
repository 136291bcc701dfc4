package registry

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Clouds are the clouds of a config file, beside those of the table: Azure Local,
// air-gapped clouds, and registries behind a domain of their owner's. nil for
// none. They are the operator's word; nothing is ever guessed to be an Azure
// registry.
type Clouds []Cloud

// NewCloud describes a custom cloud by the name of a config file: a whole login
// server, or a suffix behind "*.". Its authority is an https URL, or the host
// alone. Names that belong to a built-in cloud are refused, so that no config file
// can send their tokens elsewhere.
func NewCloud(name, authority, azureCLI, audience string) (Cloud, error) {
	suffix, isSuffix := strings.CutPrefix(name, "*.")
	for _, c := range clouds {
		if strings.Contains(suffix, c.Suffix) || strings.HasSuffix(c.Suffix, "."+suffix) {
			return Cloud{}, fmt.Errorf("%s belongs to the %s cloud, which can't be redefined", name, c.Name)
		}
	}
	if !isHostName(suffix) {
		return Cloud{}, fmt.Errorf("%s is neither a login server nor *.SUFFIX, of two labels or more, in lower case", name)
	}
	host, err := authorityHost(authority)
	if err != nil {
		return Cloud{}, fmt.Errorf("%s: %w", name, err)
	}
	cloud := Cloud{Name: name, AzureCLI: azureCLI, Authority: host, Audience: audience}
	if isSuffix {
		cloud.Suffix = suffix
	} else {
		cloud.Whole = suffix
	}
	return cloud, nil
}

// authorityHost reads an authority as people write it.
func authorityHost(authority string) (string, error) {
	u, err := url.Parse(authority)
	if err == nil && u.Scheme == "" {
		u, err = url.Parse("https://" + authority)
	}
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || !isHostName(u.Host) {
		return "", errors.New("its authority is not of the form https://HOST")
	}
	return u.Host, nil
}

// isHostName accepts two labels or more of lower-case letters, digits and inner
// hyphens. (RFC 1123 §2.1; an address is no name.)
func isHostName(s string) bool {
	labels := strings.Split(s, ".")
	valid := func(label string) bool {
		return len(label) <= 63 && strings.Trim(label, "-") == label && alphanumeric(strings.ReplaceAll(label, "-", ""))
	}
	return len(s) <= 253 && len(labels) >= 2 && !slices.ContainsFunc(labels, func(l string) bool { return !valid(l) }) &&
		strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// each lists the custom clouds and those of the table.
func (c Clouds) each() []Cloud { return append(slices.Clip([]Cloud(c)), clouds...) }
