package httpguard_test

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
)

// TestExplain_without_root_certificates runs itself again, because a process reads the system's certificates once.
func TestExplain_without_root_certificates(t *testing.T) {
	unknown := x509.UnknownAuthorityError{}
	if os.Getenv("WITHOUT_ROOTS") != "" {
		err := httpguard.Explain(host, unknown)
		if want := host + " can't be verified: no trusted root certificates are installed"; err.Code != fault.NoRoots || err.Error() != want {
			t.Errorf("%s: %v", err.Code, err)
		}
		return
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "WITHOUT_ROOTS=1", "SSL_CERT_FILE="+empty, "SSL_CERT_DIR="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
