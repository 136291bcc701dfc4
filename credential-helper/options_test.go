package credhelper_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func TestNew_nil_options_mean_the_default(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("DOCKER_CREDENTIAL_ACR_HOME", t.TempDir())
	t.Setenv("DOCKER_CREDENTIAL_ACR_KEYRING", "none")
	t.Setenv("AZURE_CLIENT_ID", "not-a-guid")
	h := credhelper.New(
		nil, credhelper.WithLogger(nil), credhelper.WithClock(nil), credhelper.WithTransport(nil),
		credhelper.WithEnvironment(nil), credhelper.WithAzureVMDetector(nil), credhelper.WithIdentity(nil),
		credhelper.WithTokenSource(nil), credhelper.WithVaultDir(""), credhelper.WithConfigFile(""),
		credhelper.WithKeyring(""),
	)
	_, _, err := h.GetContext(t.Context(), contoso, nil)
	var failed *credhelper.Error
	if !errors.As(err, &failed) || failed.Code != "environment" {
		t.Errorf("the process's own environment doesn't count: %v", err)
	}
	t.Setenv("AZURE_CLIENT_ID", "") // counts at once
	if _, _, err := h.Get("ghcr.io"); !credentials.IsErrCredentialsNotFound(err) {
		t.Error(err)
	}
	if users, err := h.List(); err != nil || len(users) != 0 {
		t.Errorf("%v, %v", users, err)
	}
}

func TestWithKeyring_None_signs_in_once(t *testing.T) {
	h, cloud := newHelper(t, credhelper.WithKeyring(credhelper.KeyringNone))
	for range 5 {
		if _, _, err := h.Get("contoso1.azurecr.io"); err != nil {
			t.Fatal(err)
		}
	}
	expectSeen(t, cloud, 1, 1)
	if _, _, err := h.GetContext(t.Context(), "contoso1.azurecr.io", credhelper.Refresh()); err != nil {
		t.Fatal(err)
	}
	expectSeen(t, cloud, 2, 2)
	if err := h.Delete("contoso1.azurecr.io"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Get("contoso1.azurecr.io"); err != nil {
		t.Fatal(err)
	}
	expectSeen(t, cloud, 3, 3)
}

func TestHelper_Get_with_added_login(t *testing.T) {
	h, _ := newHelper(t)
	if user, _, err := h.Get("contoso1.azurecr.io"); err != nil || user != credhelper.NullGUID {
		t.Fatal(user, err)
	}
	login := &credentials.Credentials{ServerURL: "contoso1.azurecr.io", Username: "admin", Secret: "s3cret"}
	if err := h.AddContext(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	if user, _, err := h.Get("contoso1.azurecr.io"); err != nil || user != "admin" {
		t.Error(user, err)
	}
	if users, err := h.ListContext(t.Context()); err != nil || users["contoso1.azurecr.io"] != "admin" {
		t.Error(users, err)
	}
	if err := h.DeleteContext(t.Context(), "contoso1.azurecr.io"); err != nil {
		t.Fatal(err)
	}
	if user, _, err := h.Get("contoso1.azurecr.io"); err != nil || user != credhelper.NullGUID {
		t.Error(user, err)
	}
}

func TestWithVaultDir_is_shared_by_Helpers(t *testing.T) {
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant("")
	app := tenant.AddServicePrincipal("", secret)
	cloud.AddRegistry(contoso, tenant).Grant(app, azuretest.AcrPull)
	vault := filepath.Join(t.TempDir(), "vault")
	common := []credhelper.Option{
		credhelper.WithVaultDir(vault), credhelper.WithKeyring(credhelper.KeyringFile),
		credhelper.WithTransport(cloud.Transport()),
	}
	id := credhelper.ServicePrincipal{TenantID: tenant.ID(), ClientID: app.ClientID(), Secret: secret}
	inCode := credhelper.WithIdentity(id)
	id.Secret = "x"
	another := credhelper.WithIdentity(id)
	environment := credhelper.WithEnvironment([]string{
		"AZURE_TENANT_ID=" + tenant.ID(), "AZURE_CLIENT_ID=" + app.ClientID(), "AZURE_CLIENT_SECRET=" + secret,
	})
	for _, options := range [][]credhelper.Option{{credhelper.WithEnvironment([]string{}), inCode}, {environment}} {
		if _, _, err := credhelper.New(append(options, common...)...).Get(contoso); err != nil {
			t.Fatal(err)
		}
	}
	expectSeen(t, cloud, 1, 1)
	for _, file := range filesBelow(t, vault) {
		content, err := os.ReadFile(filepath.Join(vault, file))
		if found := cloud.FindCanary(string(content)); err != nil || found != "" {
			t.Errorf("%s: %v, %q", file, err, found)
		}
	}
	_, _, err := credhelper.New(append(common, environment, another)...).Get(contoso)
	var failed *credhelper.Error
	if !errors.As(err, &failed) || failed.Code != "AADSTS7000215" || failed.Source != "WithIdentity" {
		t.Errorf("with another secret: %v", err)
	}
}

func TestWithConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	h, _ := newHelper(t, credhelper.WithConfigFile(path))
	_, _, err := h.Get("contoso1.azurecr.io")
	var failed *credhelper.Error
	if !errors.As(err, &failed) || failed.Code != "config" || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	if _, _, err := h.Get("ghcr.io"); !credentials.IsErrCredentialsNotFound(err) {
		t.Errorf("another registry: %v", err)
	}
	content := `{"registries": {"contoso1.azurecr.io": {"identity": "anonymous"}}}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var missing *credhelper.NotFoundError
	if _, _, err := h.Get("contoso1.azurecr.io"); !errors.As(err, &missing) || missing.Code != "" || missing.Hint() != "" {
		t.Errorf("the new file doesn't count: %v", err)
	}
	if _, _, err := h.Get("contoso2.azurecr.io"); err != nil {
		t.Error(err)
	}
}

// TestHelper_errors_when_nothing_can_be_opened wants an Error of every method.
func TestHelper_errors_when_nothing_can_be_opened(t *testing.T) {
	for _, row := range []struct {
		option credhelper.Option
		code   string
	}{
		{credhelper.WithVaultDir("relative"), "settings"},
		{credhelper.WithConfigFile("relative"), "settings"},
		{credhelper.WithKeyring("paper"), "settings"},
		{credhelper.WithEnvironment([]string{"DOCKER_CREDENTIAL_ACR_HOME=relative"}), "settings"},
	} {
		h := credhelper.New(credhelper.WithEnvironment([]string{}), row.option)
		_, _, errGet := h.Get(contoso)
		_, errList := h.List()
		for name, err := range map[string]error{
			"Get": errGet, "List": errList, "Delete": h.Delete(contoso),
			"Add": h.Add(&credentials.Credentials{ServerURL: "https://" + contoso, Username: "a", Secret: "b"}),
		} {
			var failed *credhelper.Error
			switch {
			case !errors.As(err, &failed) || failed.Code != row.code || failed.Hint() == "":
				t.Errorf("%s: %+v", name, err)
			case name != "List" && failed.Registry != contoso:
				t.Errorf("%s: registry %q", name, failed.Registry)
			}
		}
		err := h.Add(&credentials.Credentials{ServerURL: "https://me:c4n4ry@contoso.azurecr.io", Username: "a", Secret: "b"})
		if err == nil || strings.Contains(err.Error(), "c4n4ry") {
			t.Error(err)
		}
	}
}

func TestHelper_Add_errors(t *testing.T) {
	h, _ := newHelper(t)
	locked := credhelper.New(credhelper.WithEnvironment([]string{}), credhelper.WithKeyring(credhelper.KeyringNone))
	for _, row := range []struct {
		helper       *credhelper.Helper
		server, user string
		password     string
		code         string
	}{
		{h, "contoso1.azurecr.io.", "a", "b", "failed"},
		{h, "contoso1.azurecr.io", "a", "", "failed"},
		{locked, "contoso1.azurecr.io", "a", "b", "keyring-none"},
	} {
		err := row.helper.Add(&credentials.Credentials{ServerURL: row.server, Username: row.user, Secret: row.password})
		var failed *credhelper.Error
		if !errors.As(err, &failed) || failed.Code != row.code || failed.Error() == "" {
			t.Errorf("%s: %+v", row.server, err)
		}
	}
}

func TestHelper_contexts(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	h, cloud := newHelper(t)
	_, _, err := h.GetContext(canceled, "contoso1.azurecr.io")
	var failed *credhelper.Error
	if !errors.As(err, &failed) || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", err)
	}
	if _, _, err := h.Get("contoso1.azurecr.io"); err != nil {
		t.Errorf("the failure of a canceled get is shared: %v", err)
	}
	expectSeen(t, cloud, 1, 1)
}
