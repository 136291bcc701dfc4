package kubelet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/credentialprovider/plugin"
)

// A start is one start of a kubelet: its config, and the images that it looks up at once.
type start struct {
	Config, BinDir string
	Lookups        []lookup
	// Accounts are the cluster's service accounts by NAMESPACE/NAME.
	Accounts map[string]account
	// WithoutKeyctl makes the kernel refuse its keyrings, as in many containers.
	WithoutKeyctl bool
}

// A lookup is for one pod; Account is NAMESPACE/NAME, or "" for a static pod.
type lookup struct{ Image, Account string }

type account struct {
	Token       string
	UID         string
	Annotations map[string]string
}

// A credential is one that kubelet would hand to the container runtime.
type credential struct{ Username, Password string }

// driverVar has the start in the process that is kubelet.
const driverVar = "KUBELET_START"

// drive is the process that is kubelet: it prints what it finds.
func drive(encoded string) error {
	var s start
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	if s.WithoutKeyctl {
		if err := refuseKeyctl(); err != nil {
			return err
		}
	}
	getToken := func(namespace, name string, _ *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
		a := s.Accounts[namespace+"/"+name]
		return &authenticationv1.TokenRequest{Status: authenticationv1.TokenRequestStatus{Token: a.Token}}, nil
	}
	getAccount := func(namespace, name string) (*corev1.ServiceAccount, error) {
		a, ok := s.Accounts[namespace+"/"+name]
		if !ok {
			return nil, fmt.Errorf("there is no service account %s/%s", namespace, name)
		}
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID(a.UID), Annotations: a.Annotations,
		}}, nil
	}
	if err := plugin.RegisterCredentialProviderPlugins(s.Config, s.BinDir, getToken, getAccount); err != nil {
		return err
	}
	found := make([][]credential, len(s.Lookups))
	var all sync.WaitGroup
	for i, l := range s.Lookups {
		all.Go(func() {
			namespace, name, _ := strings.Cut(l.Account, "/")
			keyring := plugin.NewExternalCredentialProviderDockerKeyring(namespace, "pod", "uid", name)
			credentials, _ := keyring.Lookup(l.Image)
			for _, c := range credentials {
				found[i] = append(found[i], credential{c.Username, c.Password})
			}
		})
	}
	all.Wait()
	return json.NewEncoder(os.Stdout).Encode(found)
}

// run starts a kubelet, and returns the credentials that it finds for each lookup, and its log.
func (f *fixture) run(s start) (found [][]credential, log string) {
	f.t.Helper()
	s.BinDir = f.binDir
	encoded, err := json.Marshal(s)
	if err != nil {
		f.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Dir = "/"
	// Like a service of systemd, kubelet has no HOME.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), driverVar + "=" + string(encoded),
		"HTTPS_PROXY=" + f.cloud.StartProxy().URL(), "SSL_CERT_FILE=" + f.ca, "SSL_CERT_DIR=" + f.dir,
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		f.t.Fatalf("%v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
		f.t.Fatalf("%v: %s", err, stdout.String())
	}
	return found, stderr.String()
}

func TestMain(m *testing.M) {
	if encoded := os.Getenv(driverVar); encoded != "" {
		if err := drive(encoded); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(runTests(m))
}

// binDir is where the program is built, once for all tests.
var binDir string

func runTests(m *testing.M) int {
	if os.Getenv(namespaceVar) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "acr-kubelet-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binDir = dir
	if err := build(binDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
