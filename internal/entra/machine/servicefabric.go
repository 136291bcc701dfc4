package machine

import (
	"crypto/tls"
	"net/http"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// ConfigureClient lets MSAL pin Service Fabric's self-signed certificate, which it
// does with a standard transport only. It implements
// managedidentity.ClientConfigurer; MSAL calls it for Service Fabric alone.
func (m *messenger) ConfigureClient(augment func(*http.Client) (*http.Client, error)) error {
	pinned, err := augment(m.http)
	if err != nil {
		return &Error{Endpoint: identity.ServiceFabric, Why: "can't be checked through this transport", Hint: CodeTransport}
	}
	m.http = pinned
	// The check stays MSAL's; it only gets a name that survives net/http.
	if t, ok := pinned.Transport.(*http.Transport); ok && t.TLSClientConfig != nil && t.TLSClientConfig.VerifyConnection != nil {
		verify := t.TLSClientConfig.VerifyConnection
		t.TLSClientConfig.VerifyConnection = func(state tls.ConnectionState) error {
			if verify(state) != nil {
				return &Error{Endpoint: identity.ServiceFabric, Why: "showed another certificate than IDENTITY_SERVER_THUMBPRINT names", Hint: CodePin}
			}
			return nil
		}
	}
	return nil
}
