package azuretest

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
)

// The addresses that no variable names: IMDS, and Azure Arc's for who has none.
const (
	imdsHost = "169.254.169.254"
	arcPort  = "40342"
)

// A Machine is where the program under test runs: a virtual machine with IMDS,
// or whatever the variables make of it that its methods return. Identities are
// assigned to the machine, however it is asked for them.
type Machine struct {
	cloud *Cloud

	// guarded by Cloud.mu
	identities []*ManagedIdentity
	secrets    map[string]string // by kind of request, for hosted endpoints; "" where there is none
	keyDir     string            // where Azure Arc's keys lie
	keys       map[string]string // Azure Arc's, with the file of each; "" once it was used
}

// AddMachine makes the cloud answer as IMDS (plain HTTP at 169.254.169.254) for a
// machine with these identities. There is one machine, because one program can
// run on one only.
func (c *Cloud) AddMachine(identities ...*ManagedIdentity) *Machine {
	m := &Machine{cloud: c, secrets: map[string]string{}, keys: map[string]string{}}
	m.Assign(identities...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.machine != nil {
		panic("azuretest: a cloud has one machine")
	}
	c.machine = m
	return m
}

// Assign replaces the identities of the machine.
func (m *Machine) Assign(identities ...*ManagedIdentity) {
	system := 0
	for _, id := range identities {
		if id.system {
			system++
		}
	}
	if system > 1 {
		panic("azuretest: a machine has one system-assigned identity")
	}
	m.cloud.mu.Lock()
	defer m.cloud.mu.Unlock()
	m.identities = identities
}

// ServeIMDS serves the cloud's plain HTTP on one more listener, until it is
// closed: in a network namespace, 169.254.169.254:80 itself. Like Listen, it
// panics at an address that another machine could reach.
func (c *Cloud) ServeIMDS(listener net.Listener) {
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() && !addr.IP.IsLinkLocalUnicast() {
		panic(fmt.Sprintf("azuretest: IMDS at %v", listener.Addr()))
	}
	server := &http.Server{Handler: http.HandlerFunc(c.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	c.closeLater(server)
}

// AppService returns the variables of App Service, Functions and Container Apps.
func (m *Machine) AppService() map[string]string {
	secret := m.open(KindAppService, randomText(24))
	return map[string]string{"IDENTITY_ENDPOINT": m.at("http://127.0.0.1:%s/msi/token"), "IDENTITY_HEADER": secret}
}

// AzureML returns the variables of Azure ML; with a client id, that of the
// identity which jobs use by default.
func (m *Machine) AzureML(defaultClientID string) map[string]string {
	secret := m.open(KindAzureML, randomText(24))
	vars := map[string]string{"MSI_ENDPOINT": m.at("http://127.0.0.1:%s/MSI/auth"), "MSI_SECRET": secret}
	if defaultClientID != "" {
		vars["DEFAULT_IDENTITY_CLIENT_ID"] = defaultClientID
	}
	return vars
}

// CloudShell returns the variable of Cloud Shell.
func (m *Machine) CloudShell() map[string]string {
	m.open(KindCloudShell, "")
	return map[string]string{"MSI_ENDPOINT": m.at("http://127.0.0.1:%s/oauth2/token")}
}

// ServiceFabric returns the variables of Service Fabric, whose certificate is
// signed by itself: only its thumbprint tells it from others.
func (m *Machine) ServiceFabric() map[string]string {
	secret := m.open(KindServiceFabric, randomText(24))
	cert := m.cloud.certs.selfSigned("localhost")
	return map[string]string{
		"IDENTITY_ENDPOINT":          m.at("https://localhost:%s/metadata/identity/oauth2/token"),
		"IDENTITY_HEADER":            secret,
		"IDENTITY_SERVER_THUMBPRINT": fmt.Sprintf("%X", sha1.Sum(cert.Certificate[0])),
	}
}

// Arc returns the variables of Azure Arc, whose keys are written to a directory.
// MSAL believes in /var/opt/azcmagent/tokens only, or Tokens in
// %ProgramData%\AzureConnectedMachineAgent.
func (m *Machine) Arc(keyDir string) map[string]string {
	m.open(KindArc, "")
	m.cloud.mu.Lock()
	m.keyDir = keyDir
	m.cloud.mu.Unlock()
	base := m.at("http://127.0.0.1:%s")
	return map[string]string{"IDENTITY_ENDPOINT": base + "/metadata/identity/oauth2/token", "IMDS_ENDPOINT": base}
}

// open lets a hosted endpoint answer, and returns the secret that it asks for.
func (m *Machine) open(kind, secret string) string {
	m.cloud.canaries.add(secret)
	m.cloud.mu.Lock()
	defer m.cloud.mu.Unlock()
	m.secrets[kind] = secret
	return secret
}

// at puts the cloud's own port into an address.
func (m *Machine) at(format string) string {
	_, port, _ := net.SplitHostPort(m.cloud.Addr())
	return fmt.Sprintf(format, port)
}

// machineKind sorts requests to the machine's endpoints; "" for all others. Arc
// and Service Fabric have the same path, so the names of this host tell them apart.
func (c *Cloud) machineKind(host, path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.machine == nil {
		return ""
	}
	kind := map[string]string{
		"127.0.0.1/msi/token":                      KindAppService,
		"127.0.0.1/MSI/auth":                       KindAzureML,
		"127.0.0.1/oauth2/token":                   KindCloudShell,
		"localhost/metadata/identity/oauth2/token": KindServiceFabric,
		"127.0.0.1/metadata/identity/oauth2/token": KindArc,
	}[host+path]
	if host == imdsHost {
		return KindIMDS
	}
	if _, open := c.machine.secrets[kind]; !open {
		return ""
	}
	return kind
}

// machineAddr tells whether an address to dial is one of the machine's.
func (c *Cloud) machineAddr(addr string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.machine == nil {
		return false
	}
	_, own, _ := net.SplitHostPort(c.Addr())
	host, port, _ := net.SplitHostPort(addr)
	_, arc := c.machine.secrets[KindArc]
	switch host {
	case imdsHost:
		return port == "80"
	case "127.0.0.1", "localhost":
		return len(c.machine.secrets) > 0 && port == own || arc && port == arcPort
	}
	return false
}

// ownSecret removes from a request to the machine's endpoints the one secret that
// belongs there, so that what is left is a leak.
func (c *Cloud) ownSecret(r Request) Request {
	contract, ok := contracts[r.Kind]
	if !ok || c.machineKind(r.Host, r.Path) != r.Kind {
		return r
	}
	r.Header = r.Header.Clone()
	c.mu.Lock()
	defer c.mu.Unlock()
	if own := c.machine.secrets[r.Kind]; own != "" && slices.Equal(r.Header.Values(contract.header), []string{own}) {
		r.Header.Del(contract.header)
	}
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); ok && r.Kind == KindArc {
		if _, known := c.machine.keys[key]; known {
			r.Header.Del("Authorization")
		}
	}
	return r
}

// isPinned tells whether a certificate of this name is Service Fabric's.
func (c *Cloud) isPinned(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.machine == nil || name != "localhost" {
		return false
	}
	_, open := c.machine.secrets[KindServiceFabric]
	return open
}

// selfSigned replaces the leaf for a name by one that the root knows nothing of.
func (s *certificates) selfSigned(name string) *tls.Certificate {
	template := certificateTemplate(name)
	template.DNSNames = []string{name}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.leafKey.Public(), s.leafKey)
	if err != nil {
		panic(fmt.Sprintf("azuretest: making a certificate: %v", err))
	}
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.leafKey}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaves[name] = cert
	return cert
}
