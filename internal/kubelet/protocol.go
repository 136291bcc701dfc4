// Package kubelet is what kubelet and the helper tell each other: the exec protocol of
// kubelet's image credential providers, the file that lists them, and azure.json, from
// which a node's programs know its identity. Nothing here uses the network.
//
// The protocol is three JSON structs, so no module of Kubernetes is imported; the tests in
// test/e2e and test/kubelet hold it against kubelet's own code. (Kubernetes, "Configure a
// kubelet image credential provider"; k8s.io/kubelet/pkg/apis/credentialprovider.)
package kubelet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

const (
	requestKind  = "CredentialProviderRequest"
	responseKind = "CredentialProviderResponse"
	group        = "credentialprovider.kubelet.k8s.io/"
)

// Versions are the protocol's versions, the newest first. A response has the version of
// its request.
var Versions = []string{group + "v1", group + "v1beta1", group + "v1alpha1"}

// Annotations of a service account, as AKS has them.
const (
	ClientIDAnnotation = "kubernetes.azure.com/acr-client-id"
	TenantIDAnnotation = "kubernetes.azure.com/acr-tenant-id"
)

// A Request is what kubelet asks.
type Request struct {
	// Version is the protocol's, one of Versions.
	Version string
	// Image is the image's name without tag and digest. The registry's name in it is spelt
	// as the pod has it.
	Image string
	// Token is the token of the pod's service account; the zero value for none.
	Token secret.String
	// Annotations are those of the service account that kubelet is configured to pass on.
	Annotations map[string]string
}

// maxRequest is far above a request: tokens and annotations have a few kilobytes.
const maxRequest = 1<<20 - 1

// ReadRequest reads a request. Unknown fields are allowed, because later versions of
// Kubernetes add some. Errors quote nothing of it: it may have a token.
func ReadRequest(in io.Reader) (Request, error) {
	content, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	switch {
	case err != nil:
		return Request{}, fmt.Errorf("can't read standard input: %w", err)
	case len(content) > maxRequest:
		return Request{}, fmt.Errorf("standard input has more than %d bytes", maxRequest)
	case len(bytes.TrimSpace(content)) == 0:
		return Request{}, errors.New("standard input is empty; kubelet passes a " + requestKind)
	}
	var r struct {
		Kind        string            `json:"kind"`
		Version     string            `json:"apiVersion"`
		Image       string            `json:"image"`
		Token       string            `json:"serviceAccountToken"`
		Annotations map[string]string `json:"serviceAccountAnnotations"`
	}
	switch err := json.Unmarshal(content, &r); {
	case err != nil, r.Kind != requestKind:
		return Request{}, errors.New("standard input is not a " + requestKind + " of kubelet in JSON")
	case !slices.Contains(Versions, r.Version):
		return Request{}, fmt.Errorf("unknown version %q of the credential provider protocol; known are %s",
			text.Line(r.Version), strings.Join(Versions, ", "))
	case r.Image == "":
		return Request{}, errors.New("the " + requestKind + " names no image")
	}
	return Request{Version: r.Version, Image: r.Image, Token: secret.New(r.Token), Annotations: r.Annotations}, nil
}

// Registry returns the registry in the image's name, as it is spelt there.
func (r Request) Registry() string {
	name, _, _ := strings.Cut(r.Image, "/")
	return name
}

// A Response is what kubelet gets. The zero value is "no credential", which is no error.
type Response struct {
	// Auth maps registries, as the image spells them, or patterns to credentials.
	Auth map[string]Credential
	// CacheFor is how long kubelet may cache it. kubelet has no way to forget a credential
	// that the registry refuses.
	CacheFor time.Duration
}

// A Credential is a user name and a password; both empty for an anonymous pull.
type Credential struct {
	User     string
	Password secret.String
}

// Encode returns the response in JSON. kubelet refuses fields that it doesn't know, other
// spellings of values, and another version than the request's.
func (r Response) Encode(version string) ([]byte, error) {
	type credential struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	var auth map[string]credential // nil becomes null
	for registry, c := range r.Auth {
		if auth == nil {
			auth = map[string]credential{}
		}
		auth[registry] = credential{c.User, c.Password.Reveal()}
	}
	encoded, err := json.Marshal(struct {
		Kind     string                `json:"kind"`
		Version  string                `json:"apiVersion"`
		CacheKey string                `json:"cacheKeyType"`
		CacheFor string                `json:"cacheDuration"`
		Auth     map[string]credential `json:"auth"`
	}{responseKind, version, "Registry", r.CacheFor.String(), auth})
	return append(encoded, '\n'), err
}

// How long kubelet may cache a credential: it must outlive the cache by as long as a pull
// may take. The vault responds within milliseconds, so a short time costs little.
const (
	longestPull = 30 * time.Minute
	maxCache    = time.Hour
)

// CacheFor returns how long kubelet may cache a credential that ends at a time; the zero
// time stands for one without an end.
func CacheFor(expires, now time.Time) time.Duration {
	if expires.IsZero() {
		return maxCache
	}
	return max(0, min(maxCache, expires.Sub(now)-longestPull)).Truncate(time.Second)
}

// AnonymousPattern returns the pattern for an anonymous attempt after the registry has
// refused a credential: that of the image's own registry, as it is spelt there, with a star
// for its name. kubelet tries what has a star last. In its patterns a star doesn't match a
// dot.
func AnonymousPattern(registry string) string {
	_, suffix, _ := strings.Cut(registry, ".")
	return "*." + suffix
}

// Encode returns the request as kubelet passes it, for another provider.
func (r Request) Encode() (secret.String, error) {
	encoded, err := json.Marshal(struct {
		Kind        string            `json:"kind"`
		Version     string            `json:"apiVersion"`
		Image       string            `json:"image"`
		Token       string            `json:"serviceAccountToken,omitempty"`
		Annotations map[string]string `json:"serviceAccountAnnotations,omitempty"`
	}{requestKind, r.Version, r.Image, r.Token.Reveal(), r.Annotations})
	return secret.New(string(encoded) + "\n"), err
}

// ReadResponse reads the answer of a provider to a request of a version, as strictly as
// kubelet does. Errors quote nothing of it.
func ReadResponse(content []byte, version string) (Response, error) {
	var r struct {
		Kind     string  `json:"kind"`
		Version  string  `json:"apiVersion"`
		CacheKey string  `json:"cacheKeyType"`
		CacheFor *string `json:"cacheDuration"`
		Auth     map[string]struct {
			Username string `json:"username"`
			Password string `json:"password"`
		} `json:"auth"`
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Response{}, errors.New("it is not a " + responseKind + " in JSON, or has an unknown field")
	}
	_, after := decoder.Token()
	response := Response{Auth: map[string]Credential{}}
	var err error
	if r.CacheFor != nil {
		response.CacheFor, err = time.ParseDuration(*r.CacheFor)
	}
	switch {
	case after != io.EOF:
		return Response{}, errors.New("there is something after the JSON object")
	case r.Kind != responseKind:
		return Response{}, errors.New("its kind is not " + responseKind)
	case r.Version != version:
		return Response{}, errors.New("its apiVersion is not that of the request")
	case !slices.Contains([]string{"Image", "Registry", "Global"}, r.CacheKey):
		return Response{}, errors.New("its cacheKeyType is not Image, Registry or Global")
	case err != nil:
		return Response{}, errors.New("its cacheDuration is not a duration")
	}
	for registry, c := range r.Auth {
		response.Auth[registry] = Credential{c.Username, secret.New(c.Password)}
	}
	return response, nil
}
