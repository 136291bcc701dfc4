package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	credentialprovider "k8s.io/kubelet/pkg/apis/credentialprovider"
	"k8s.io/kubelet/pkg/apis/credentialprovider/install"
	credentialproviderv1 "k8s.io/kubelet/pkg/apis/credentialprovider/v1"
	credentialproviderv1alpha1 "k8s.io/kubelet/pkg/apis/credentialprovider/v1alpha1"
	credentialproviderv1beta1 "k8s.io/kubelet/pkg/apis/credentialprovider/v1beta1"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestKubelet_protocol: kubelet's own types encode the request and decode the answer, as strictly as kubelet does.
func TestKubelet_protocol(t *testing.T) {
	f := newFixture(t)
	cluster := f.cloud.AddIssuer("https://oidc.cluster.example/")
	account := cluster.ServiceAccount("shop", "cart")
	f.app.AddFederatedCredential(cluster.URL(), account.Subject(), "")
	node := f.write(filepath.Join(f.work, "azure.json"), fmt.Sprintf(
		`{"cloud":"AzurePublicCloud","tenantId":%q,"aadClientId":%q,"aadClientSecret":%q}`, f.tenant.ID(), clientID, clientSecret))
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	for _, row := range []struct {
		name    string
		version runtime.GroupVersioner
		request credentialprovider.CredentialProviderRequest
		auth    string // the registries, the last one first
		cache   time.Duration
	}{
		{"v1", credentialproviderv1.SchemeGroupVersion, credentialprovider.CredentialProviderRequest{Image: host + "/app"}, host + " *.azurecr.io", time.Hour},
		{"v1beta1", credentialproviderv1beta1.SchemeGroupVersion, credentialprovider.CredentialProviderRequest{Image: "Contoso.azurecr.io/app"}, "Contoso.azurecr.io *.azurecr.io", time.Hour},
		{"v1alpha1", credentialproviderv1alpha1.SchemeGroupVersion, credentialprovider.CredentialProviderRequest{Image: host + "/app"}, host + " *.azurecr.io", time.Hour},
		{"another registry", credentialproviderv1.SchemeGroupVersion, credentialprovider.CredentialProviderRequest{Image: "docker.io/library/busybox"}, "", 0},
		{"service account", credentialproviderv1.SchemeGroupVersion, credentialprovider.CredentialProviderRequest{
			Image: host + "/app", ServiceAccountToken: account.Token(azuretest.TokenExchange, time.Hour),
			ServiceAccountAnnotations: map[string]string{
				"kubernetes.azure.com/acr-client-id": clientID, "kubernetes.azure.com/acr-tenant-id": f.tenant.ID(),
			},
		}, host, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			request, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, row.version), &row.request)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(bin, program), "kubelet", node)
			cmd.Stdin = strings.NewReader(string(request))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			for name, value := range f.env {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			cmd.Env = append(cmd.Env, "DOCKER_CREDENTIAL_ACR_HOME="+filepath.Join(f.home, "kubelet"))
			answer, err := cmd.Output()
			if err != nil || stderr.Len() > 0 {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			decoded, version, err := codecs.UniversalDecoder(credentialprovider.SchemeGroupVersion).Decode(answer, nil, nil)
			if err != nil {
				t.Fatalf("%v: %s", err, answer)
			}
			response, ok := decoded.(*credentialprovider.CredentialProviderResponse)
			if !ok || !strings.HasSuffix(string(request), "\n") || !strings.Contains(string(request), version.GroupVersion().String()+`"`) {
				t.Fatalf("%T of version %v", decoded, version)
			}
			var registries []string
			for _, key := range []string{host, "Contoso.azurecr.io", "*.azurecr.io"} {
				c, ok := response.Auth[key]
				if !ok {
					continue
				}
				registries = append(registries, key)
				if isAnonymous := c.Username+c.Password == ""; isAnonymous != (key == "*.azurecr.io") || !isAnonymous && c.Username != nullGUID {
					t.Errorf("%s: %s", key, c.Username)
				}
			}
			if got := strings.Join(registries, " "); got != row.auth || len(response.Auth) != len(registries) {
				t.Errorf("credentials for %q, want %q", got, row.auth)
			}
			if response.CacheKeyType != credentialprovider.RegistryPluginCacheKeyType || response.CacheDuration.Duration != row.cache {
				t.Errorf("cached by %s for %v", response.CacheKeyType, response.CacheDuration)
			}
		})
	}
}
