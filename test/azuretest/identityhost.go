package azuretest

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// The fixed addresses of IMDS, and of Azure Arc for programs without its variables.
const (
	imdsHost = "169.254.169.254"
	arcPort  = "40342"
)

// A ManagedIdentityHost is where the program under test runs: an Azure VM with IMDS, and each hosting service whose
// variables its methods return. All of them have the same identities.
type ManagedIdentityHost struct {
	cloud *Cloud

	// guarded by Cloud.mu
	identities []*ManagedIdentity
	secrets    map[string]string // by kind, for enabled endpoints; "" for those without
	keyDir     string            // the directory of Azure Arc's keys
	keys       map[string]string // Azure Arc's keys, to the file of each; "" once it was used
}

// AddManagedIdentityHost makes the cloud respond as IMDS (plain HTTP at 169.254.169.254) of a VM with these
// identities. It panics the second time: a program runs on one host.
func (c *Cloud) AddManagedIdentityHost(identities ...*ManagedIdentity) *ManagedIdentityHost {
	h := &ManagedIdentityHost{cloud: c, secrets: map[string]string{}, keys: map[string]string{}}
	h.Assign(identities...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identityHost != nil {
		panic("azuretest: the cloud has a managed identity host already")
	}
	c.identityHost = h
	return h
}

// Assign replaces the identities of the host.
func (h *ManagedIdentityHost) Assign(identities ...*ManagedIdentity) {
	systemAssigned := 0
	for _, id := range identities {
		if id.systemAssigned {
			systemAssigned++
		}
	}
	if systemAssigned > 1 {
		panic("azuretest: a host has at most one system-assigned identity")
	}
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	h.identities = identities
}

// ServeIMDS serves the cloud's plain HTTP on another listener, until the cloud is closed: in a network namespace,
// 169.254.169.254:80 itself. It panics for an address that other machines can reach.
func (c *Cloud) ServeIMDS(listener net.Listener) {
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() && !addr.IP.IsLinkLocalUnicast() {
		panic(fmt.Sprintf("azuretest: IMDS at %v", listener.Addr()))
	}
	server := newServer(c.serve)
	go server.Serve(listener)
	c.closeLater(server)
}

// AppService returns the variables of App Service, Functions and Container Apps.
func (h *ManagedIdentityHost) AppService() map[string]string {
	secret := h.enable(KindAppService, randomText(24))
	return map[string]string{"IDENTITY_ENDPOINT": h.url("http://127.0.0.1:%s/msi/token"), "IDENTITY_HEADER": secret}
}

// AzureML returns the variables of Azure ML. defaultClientID is the identity that jobs use by default; it may be
// empty.
func (h *ManagedIdentityHost) AzureML(defaultClientID string) map[string]string {
	secret := h.enable(KindAzureML, randomText(24))
	vars := map[string]string{"MSI_ENDPOINT": h.url("http://127.0.0.1:%s/MSI/auth"), "MSI_SECRET": secret}
	if defaultClientID != "" {
		vars["DEFAULT_IDENTITY_CLIENT_ID"] = defaultClientID
	}
	return vars
}

// CloudShell returns the variable of Cloud Shell.
func (h *ManagedIdentityHost) CloudShell() map[string]string {
	h.enable(KindCloudShell, "")
	return map[string]string{"MSI_ENDPOINT": h.url("http://127.0.0.1:%s/oauth2/token")}
}

// ServiceFabric returns the variables of Service Fabric, whose certificate is self-signed: clients identify it by its
// thumbprint.
func (h *ManagedIdentityHost) ServiceFabric() map[string]string {
	secret := h.enable(KindServiceFabric, randomText(24))
	cert := h.cloud.certs.selfSigned("localhost")
	return map[string]string{
		"IDENTITY_ENDPOINT":          h.url("https://localhost:%s/metadata/identity/oauth2/token"),
		"IDENTITY_HEADER":            secret,
		"IDENTITY_SERVER_THUMBPRINT": fmt.Sprintf("%X", sha1.Sum(cert.Certificate[0])),
	}
}

// Arc returns the variables of Azure Arc, which writes its keys to keyDir. MSAL accepts only
// /var/opt/azcmagent/tokens, or %ProgramData%\AzureConnectedMachineAgent\Tokens.
func (h *ManagedIdentityHost) Arc(keyDir string) map[string]string {
	h.enable(KindArc, "")
	h.cloud.locked(func() { h.keyDir = keyDir })
	base := h.url("http://127.0.0.1:%s")
	return map[string]string{"IDENTITY_ENDPOINT": base + "/metadata/identity/oauth2/token", "IMDS_ENDPOINT": base}
}

// enable enables an endpoint, and returns the secret that it requires.
func (h *ManagedIdentityHost) enable(kind, secret string) string {
	h.cloud.canaries.add(secret)
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	h.secrets[kind] = secret
	return secret
}

// url inserts the cloud's port.
func (h *ManagedIdentityHost) url(format string) string {
	_, port, _ := net.SplitHostPort(h.cloud.Addr())
	return fmt.Sprintf(format, port)
}

// endpointKind returns the kind of a request to a managed identity endpoint, or "" for any other. Arc and Service
// Fabric have the same path and differ in the host name.
func (c *Cloud) endpointKind(host, path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identityHost == nil {
		return ""
	}
	if host == imdsHost {
		return KindIMDS
	}
	kind := map[string]string{
		"127.0.0.1/msi/token":                      KindAppService,
		"127.0.0.1/MSI/auth":                       KindAzureML,
		"127.0.0.1/oauth2/token":                   KindCloudShell,
		"localhost/metadata/identity/oauth2/token": KindServiceFabric,
		"127.0.0.1/metadata/identity/oauth2/token": KindArc,
	}[host+path]
	if _, enabled := c.identityHost.secrets[kind]; !enabled {
		return ""
	}
	return kind
}

// isEndpointAddr reports whether an address is that of a managed identity endpoint.
func (c *Cloud) isEndpointAddr(addr string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identityHost == nil {
		return false
	}
	_, own, _ := net.SplitHostPort(c.Addr())
	host, port, _ := net.SplitHostPort(addr)
	_, arc := c.identityHost.secrets[KindArc]
	switch host {
	case imdsHost:
		return port == "80"
	case "127.0.0.1", "localhost":
		return len(c.identityHost.secrets) > 0 && port == own || arc && port == arcPort
	}
	return false
}

// withoutOwnSecret removes from a request to a managed identity endpoint the secret of this endpoint, so that any
// other secret in it is a leak.
func (c *Cloud) withoutOwnSecret(r Request) Request {
	contract, ok := contracts[r.Kind]
	if !ok || c.endpointKind(r.Host, r.Path) != r.Kind {
		return r
	}
	r.Header = r.Header.Clone()
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.identityHost.secrets[r.Kind]
	if own != "" && slices.Equal(r.Header.Values(contract.header), []string{own}) {
		r.Header.Del(contract.header)
	}
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); ok && r.Kind == KindArc {
		if _, known := c.identityHost.keys[key]; known {
			r.Header.Del("Authorization")
		}
	}
	return r
}

// isServiceFabricName reports whether Service Fabric's certificate has this name.
func (c *Cloud) isServiceFabricName(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identityHost == nil || name != "localhost" {
		return false
	}
	_, enabled := c.identityHost.secrets[KindServiceFabric]
	return enabled
}

// selfSigned replaces the certificate for a name by a self-signed one.
func (s *certificates) selfSigned(name string) *tls.Certificate {
	template := certificateTemplate(name)
	template.DNSNames = []string{name}
	der := must(x509.CreateCertificate(rand.Reader, template, template, s.leafKey.Public(), s.leafKey))
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.leafKey}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaves[name] = cert
	return cert
}
