package terminal

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// scenarios make one part of a fixture hostile each.
func scenarios() map[string]func(*testing.T, *fixture) {
	all := map[string]func(*testing.T, *fixture){
		"docker":             clientFile(".docker/config.json"),
		"podman":             clientFile("run/containers/auth.json"),
		"podman-last":        clientFile(".config/containers/auth.json"),
		"helm":               clientFile(".config/helm/registry/config.json"),
		"regctl":             clientFile(".regctl/config.json"),
		"docker-malformed":   malformed(".docker/config.json"),
		"podman-malformed":   malformed("run/containers/auth.json"),
		"registries.conf":    registriesConf,
		"paths":              paths,
		"config-malformed":   malformed("acr/config.json"),
		"tools":              tools,
		"azure-cli":          azureCLI,
		"azd":                azd,
		"powershell":         powerShell,
		"delegate-fails":     delegate(1),
		"delegate-answers":   delegate(0),
		"issuer":             issuer,
		"vault":              vault,
		"planted-in-vault":   planted,
		"failure":            failure,
		"certificate-file":   certificateFile,
		"docker-auth-config": dockerAuthConfig,
	}
	for name := range transportErrors("") {
		all["transport/"+name] = func(_ *testing.T, f *fixture) {
			f.principal()
			failed := transportErrors(f.text)[name]
			f.transport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, failed })
		}
	}
	for _, status := range []int{200, 400, 401, 403, 500} {
		all[fmt.Sprintf("servers/%d", status)] = servers(status)
	}
	for name, config := range configs {
		all["config/"+name] = func(t *testing.T, f *fixture) {
			f.write(t, "acr/config.json", strings.ReplaceAll(config, "TEXT", strings.Trim(quoted(f.text), `"`)))
		}
	}
	for _, name := range variables {
		all["variable/"+name] = variable(name)
	}
	return all
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// clientFile writes a file of Docker or Podman: registries, helpers, credentials and whatever else there may be.
func clientFile(name string) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) {
		q := quoted(f.text)
		login := quoted(base64.StdEncoding.EncodeToString([]byte(f.text + ":password")))
		f.write(t, name, `{
	"auths": {
		`+q+`: {"auth": `+login+`},
		`+quoted(registryHost+"/"+f.text)+`: {"auth": `+login+`},
		"`+registryHost+`": {"auth": `+login+`},
		"fabrikam.azurecr.io": {"auth": `+login+`},
		`+quoted("https://"+f.text+".example/v1/")+`: {"auth": `+login+`, "email": `+q+`}
	},
	"credHelpers": {
		`+q+`: "acr",
		`+quoted(f.text+"@other")+`: `+q+`,
		"`+registryHost+`": "acr",
		"fabrikam.azurecr.io": `+q+`,
		`+quoted("https://fabrikam.azurecr.io/"+f.text)+`: "acr"
	},
	"credsStore": `+q+`,
	`+q+`: {`+q+`: `+q+`}
}`)
	}
}

func malformed(name string) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) { f.write(t, name, `{"`+f.text+`": `+f.text+`}`) }
}

func registriesConf(t *testing.T, f *fixture) {
	q := quoted(strings.ToValidUTF8(f.text, "?")) // TOML has no other text
	f.write(t, ".config/containers/registries.conf", "credential-helpers = ["+q+", \"acr\"]\n"+q+" = "+q+"\n")
	f.write(t, ".config/containers/registries.conf.d/99-"+f.text+".conf", "credential-helpers = ["+q+"]\n")
	f.write(t, ".config/containers/registries.conf.d/docker-credential-acr.conf",
		"credential-helpers = [\"acr\"] # "+f.text+"\n")
}

// paths moves everything into directories with such names.
func paths(t *testing.T, f *fixture) {
	home := filepath.Join(f.home, "home "+f.text)
	for name, path := range map[string]string{
		"HOME": "", "USERPROFILE": "", "DOCKER_CONFIG": "docker " + f.text, "XDG_RUNTIME_DIR": "run " + f.text,
		"XDG_CONFIG_HOME": "config " + f.text, "XDG_DATA_HOME": "data " + f.text, "AZURE_CONFIG_DIR": "azure " + f.text,
		"DOCKER_CREDENTIAL_ACR_HOME": "acr " + f.text,
	} {
		f.environ[name] = filepath.Join(home, path)
	}
	f.write(t, filepath.Join(home, ".config/containers/registries.conf"), "")
	f.write(t, filepath.Join(home, "docker "+f.text, "config.json"),
		`{"credsStore":"desktop","auths":{"`+registryHost+`":{"auth":"dTpw"}}}`)
	f.write(t, filepath.Join(home, "run "+f.text, "containers/auth.json"), `{"auths":{"`+registryHost+`":{"auth":"dTpw"}}}`)
	f.write(t, filepath.Join(home, "acr "+f.text, "config.json"),
		`{"registries":{"*.azurecr.io":{"identity":"azure-cli"}}}`)
	bin := filepath.Join(home, "bin "+f.text)
	f.environ["PATH"] = bin + string(os.PathListSeparator) + f.environ["PATH"]
	f.write(t, filepath.Join(bin, "docker-credential-acr"), "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(bin, "docker-credential-acr"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// configs are config files with a TEXT.
var configs = map[string]string{
	"pattern":     `{"registries":{"TEXT":{"identity":"azure-cli"}}}`,
	"pattern-acr": `{"registries":{"TEXT.azurecr.io":{"identity":"azure-cli"}}}`,
	"identity":    `{"registries":{"*.azurecr.io":{"identity":"TEXT"}}}`,
	"tenant":      `{"registries":{"*.azurecr.io":{"identity":"azure-cli","tenant":"TEXT"}}}`,
	"tenant-only": `{"registries":{"*.azurecr.io":{"tenant":"TEXT"}}}`,
	"client":      `{"registries":{"*.azurecr.io":{"identity":"user","clientId":"TEXT"}}}`,
	"resource": `{"registries":{"*.azurecr.io":{"identity":"managed-identity","resourceId":` +
		`"/subscriptions/` + tenantID +
		`/resourceGroups/TEXT/providers/Microsoft.ManagedIdentity/userAssignedIdentities/TEXT"}}}`,
	"certificate": `{"registries":{"*.azurecr.io":{"identity":"service-principal","clientId":"` + clientID +
		`","tenant":"` + tenantID + `","certificate":"/TEXT"}}}`,
	"token-file": `{"registries":{"*.azurecr.io":{"identity":"federated-token","clientId":"` + clientID +
		`","tenant":"` + tenantID + `","tokenFile":"/TEXT"}}}`,
	"token-variable": `{"registries":{"*.azurecr.io":{"identity":"federated-token","clientId":"` + clientID +
		`","tenant":"` + tenantID + `","tokenVariable":"TEXT"}}}`,
	"subscription": `{"registries":{"*.azurecr.io":{"identity":"azure-cli","subscription":"TEXT"}}}`,
	"audience":     `{"registries":{"*.azurecr.io":{"identity":"azure-cli","audience":"https://TEXT"}}}`,
	"key":          `{"TEXT":1}`,
	"entry-key":    `{"registries":{"*.azurecr.io":{"TEXT":"x"}}}`,
	"entry-twice":  `{"registries":{"TEXT":{},"TEXT":{}}}`,
	"delegate":     `{"delegate":"TEXT"}`,
	"cloud":        `{"clouds":{"TEXT":{"authority":"login.example"}}}`,
	"authority":    `{"clouds":{"azurecr.example":{"authority":"TEXT"}}}`,
	"azure-cli":    `{"clouds":{"azurecr.example":{"authority":"login.example","azureCLI":"TEXT"}}}`,
	"cloud-key":    `{"clouds":{"azurecr.example":{"TEXT":"TEXT"}}}`,
	"type":         `{"registries":"TEXT"}`,
	"after":        `{} TEXT`,
}

// variables are all that the program reads, but for those of paths where nothing would be read.
var variables = strings.Fields(`ACTIONS_ID_TOKEN_REQUEST_URL ALL_PROXY ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID
	ARM_CLIENT_CERTIFICATE ARM_CLIENT_CERTIFICATE_PATH ARM_CLIENT_ID ARM_ENVIRONMENT ARM_OIDC_REQUEST_URL ARM_OIDC_TOKEN
	ARM_OIDC_TOKEN_FILE_PATH ARM_TENANT_ID ARM_USE_AKS_WORKLOAD_IDENTITY ARM_USE_MSI ARM_USE_OIDC AZD_CONFIG_DIR
	AZURESUBSCRIPTION_CLIENT_ID AZURESUBSCRIPTION_SERVICE_CONNECTION_ID AZURESUBSCRIPTION_TENANT_ID AZURE_AUTHORITY_HOST
	AZURE_CLIENT_CERTIFICATE_PASSWORD AZURE_CLIENT_CERTIFICATE_PATH AZURE_CLIENT_ID AZURE_CLIENT_SECRET
	AZURE_CLIENT_SEND_CERTIFICATE_CHAIN AZURE_CONFIG_DIR AZURE_FEDERATED_TOKEN AZURE_FEDERATED_TOKEN_FILE
	AZURE_KUBERNETES_CA_DATA AZURE_KUBERNETES_CA_FILE AZURE_KUBERNETES_SNI_NAME AZURE_KUBERNETES_TOKEN_PROXY AZURE_TENANT_ID
	CONTAINERS_REGISTRIES_CONF DBUS_SESSION_BUS_ADDRESS DEFAULT_IDENTITY_CLIENT_ID DOCKER_AUTH_CONFIG DOCKER_CONFIG
	DOCKER_CREDENTIAL_ACR_DELEGATED DOCKER_CREDENTIAL_ACR_HOME DOCKER_CREDENTIAL_ACR_KEYRING GITHUB_ACTIONS HTTPS_PROXY
	IDENTITY_ENDPOINT IDENTITY_HEADER IMDS_ENDPOINT MSI_ENDPOINT NO_PROXY REGISTRIES_CONFIG_PATH REGISTRY_AUTH_FILE
	RUNNER_ENVIRONMENT SYSTEM_OIDCREQUESTURI TERM XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR`)

// variable sets a variable beside those that complete its family.
func variable(name string) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) {
		f.onlyReads = true
		families := map[string][]string{
			"ACTIONS_ID_TOKEN_REQUEST_URL": {
				"ACTIONS_ID_TOKEN_REQUEST_TOKEN=x", "AZURE_CLIENT_ID=" + clientID, "AZURE_TENANT_ID=" + tenantID,
			},
			"SYSTEM_OIDCREQUESTURI": {
				"SYSTEM_ACCESSTOKEN=x", "AZURESUBSCRIPTION_CLIENT_ID=" + clientID, "AZURESUBSCRIPTION_TENANT_ID=" + tenantID,
				"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=" + clientID,
			},
			"IDENTITY_ENDPOINT": {"IDENTITY_HEADER=x"},
			"MSI_ENDPOINT":      {"MSI_SECRET=x"},
			"IDENTITY_HEADER":   {"IDENTITY_ENDPOINT=http://127.0.0.1:1/"},
		}
		for _, prefix := range []string{"AZURE", "ARM"} {
			if !strings.HasPrefix(name, prefix+"_") {
				continue
			}
			f.environ[prefix+"_CLIENT_ID"], f.environ[prefix+"_TENANT_ID"] = clientID, tenantID
			if name == prefix+"_CLIENT_ID" || name == prefix+"_TENANT_ID" || name == "AZURE_AUTHORITY_HOST" {
				f.environ[prefix+"_CLIENT_SECRET"] = "s3cret-value"
			}
			if strings.Contains(name, "KUBERNETES") {
				f.environ["AZURE_FEDERATED_TOKEN_FILE"] = filepath.Join(f.home, "token")
				f.environ["AZURE_KUBERNETES_TOKEN_PROXY"] = "https://proxy.example"
			}
		}
		for _, other := range families[name] {
			key, value, _ := strings.Cut(other, "=")
			f.environ[key] = value
		}
		f.write(t, "token", "x.y.z")
		value := f.text
		switch {
		case strings.HasSuffix(name, "URL"), strings.HasSuffix(name, "URI"), strings.HasSuffix(name, "ENDPOINT"),
			strings.HasSuffix(name, "HOST"), strings.HasSuffix(name, "PROXY"):
			value = "https://host.example/" + f.text
		case strings.HasSuffix(name, "FILE"), strings.HasSuffix(name, "DIR"), strings.HasSuffix(name, "PATH"),
			strings.HasSuffix(name, "HOME"), strings.HasSuffix(name, "CONF"), strings.HasSuffix(name, "CONFIG"):
			value = filepath.Join(f.home, f.text)
		}
		f.environ[name] = value
		for _, args := range [][]string{
			{"status", "--json"},
			{"doctor", registryHost, "--verbose"},
			{"configure", registryHost, "--dry-run"},
			{"login", registryHost, "--azure-cli"},
		} {
			f.run(t, command{args: args})
		}
		if f.environ[name] = f.text; strings.HasSuffix(name, "HOST") {
			f.environ[name] = f.text + ".example"
		}
	}
}

func dockerAuthConfig(_ *testing.T, f *fixture) {
	f.environ["DOCKER_AUTH_CONFIG"] = `{"auths":{` + quoted(f.text) + `:{"auth":"dTpw"},"` +
		registryHost + `":{"auth":"dTpw"},"` +
		`https://` + registryHost + `/":{"auth":"dTpw"}}}`
}

// tools has every tool fail with the text.
func tools(t *testing.T, f *fixture) {
	azureCLI(t, f)
	f.says(t, 1, f.text, "ERROR: "+f.text)
}

// azureCLI has an account, a subscription and an answer of such names.
func azureCLI(t *testing.T, f *fixture) {
	q := quoted(f.text)
	f.write(t, ".azure/azureProfile.json",
		`{"subscriptions":[{"id":"`+tenantID+`","name":`+q+`,"isDefault":true,"tenantId":"`+tenantID+
			`","environmentName":"AzureCloud","user":{"name":`+q+`,"type":"user"}},
		{"id":`+q+`,"name":"x","tenantId":`+q+`,"environmentName":`+q+`,"user":{"name":`+q+`,"type":`+q+`}}]}`)
	f.says(t, 0, `{"accessToken":"x","tenant":`+q+`,"expires_on":4102444800}`, f.text)
}

func azd(t *testing.T, f *fixture) {
	q := quoted(f.text)
	f.environ["AZD_CONFIG_DIR"] = filepath.Join(f.home, ".azd")
	f.write(t, ".azd/config.json", `{"cloud":{"name":`+q+`}}`)
	f.write(t, ".azd/auth.json", `{"auth":{"account":{"currentUser":{"clientId":`+q+`,"tenantId":"`+tenantID+`"}}}}`)
	f.write(t, "acr/config.json", `{"registries":{"*.azurecr.io":{"identity":"azd"}}}`)
	f.says(t, 1, f.text, f.text)
}

func powerShell(t *testing.T, f *fixture) {
	q := quoted(f.text)
	f.write(t, ".Azure/AzureRmContext.json",
		`{"DefaultContextKey":"k","Contexts":{"k":{"Account":{"Id":`+q+`},"Tenant":{"Id":"`+tenantID+
			`"},"Environment":{"Name":"AzureCloud"}}}}`)
	f.write(t, "acr/config.json", `{"registries":{"*.azurecr.io":{"identity":"azure-powershell"}}}`)
	f.says(t, 0, `{"Token":"x","Tenant":`+q+`,"ExpiresOn":4102444800}`, f.text)
}

// delegate has another helper that fails, or that has logins of such names.
func delegate(status int) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) {
		q := quoted(f.text)
		f.write(t, "acr/config.json", `{"delegate":"loud"}`)
		stdout := f.text
		if status == 0 {
			stdout = `{` + q + `:` + q + `,"ServerURL":` + q + `,"Username":` + q + `,"Secret":` + q + `}`
		}
		f.says(t, status, stdout, f.text)
	}
}

// issuer has a registry whose certificate was issued by such a name, where the user trusts it.
func issuer(_ *testing.T, f *fixture) {
	f.principal()
	cloud, text := f.transport, f.text
	f.transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := cloud.RoundTrip(req)
		if err == nil && resp.TLS != nil {
			state, cert := *resp.TLS, *resp.TLS.PeerCertificates[0] // which other connections share
			cert.Issuer = pkix.Name{CommonName: text, Organization: []string{text}}
			state.PeerCertificates, resp.TLS = []*x509.Certificate{&cert}, &state
		}
		return resp, err
	})
}

// transportErrors are errors that quote what the other side sent.
func transportErrors(text string) map[string]error {
	cert := &x509.Certificate{
		Subject: pkix.Name{CommonName: text}, Issuer: pkix.Name{CommonName: text}, DNSNames: []string{text},
		Raw: []byte{1}, RawSubject: []byte{1},
	}
	return map[string]error{
		"text":      errors.New(text),
		"host name": x509.HostnameError{Certificate: cert, Host: registryHost},
		"authority": x509.UnknownAuthorityError{Cert: cert},
		"invalid":   x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired, Detail: text},
		"DNS":       &net.DNSError{Err: text, Name: text, Server: text},
		"dial":      &net.OpError{Op: text, Net: text, Err: errors.New(text)},
	}
}

// servers has every server answer with the text wherever it can.
func servers(status int) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) {
		f.principal()
		q, text := quoted(f.text), f.text
		f.transport = roundTripper(func(req *http.Request) (*http.Response, error) {
			header := http.Header{
				"Www-Authenticate": {`Bearer realm="` + text + `",service="` + text + `",error="` + text + `"`},
				"Retry-After":      {text}, "X-Ms-Request-Id": {text}, "X-Ms-Correlation-Request-Id": {text}, "Server": {text},
				"Date": {text}, "Location": {text},
			}
			return answer(req, status, header, `{"error":`+q+`,
				"error_description":`+quoted("AADSTS7000215: "+text)+`,"error_codes":[7000215],
				"correlation_id":`+q+`,"trace_id":`+q+`,"suberror":`+q+`,"claims":`+q+`,"message":`+q+`,
				"errors":[{"code":`+q+`,"message":`+q+`,"detail":`+q+`}],"refresh_token":`+q+`,
				"access_token":`+q+`,"token_type":`+q+`,"expires_in":3600,"issuer":`+q+`,
				"user_code":`+q+`,"device_code":`+q+`,"verification_uri":`+
				quoted("https://microsoft.com/"+text)+`,"interval":1}`), nil
		})
		f.run(t, command{args: []string{"login", registryHost, "--device-code", "--client-id", "azure-cli"}})
		f.run(t, command{
			args: []string{"login", registryHost, "--username", "ada"}, stdin: "password\n",
		})
		f.run(t, command{args: []string{"login", registryHost, "--managed-identity"}})
	}
}

// quiet runs a command to prepare something.
func (f *fixture) quiet(t *testing.T, stdin string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	env := app.Env{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &out, Environ: f.variables(),
		Transport: f.transport, Now: time.Now,
	}
	if status := cli.Run(context.Background(), env, args); status != 0 {
		t.Fatalf("%q: %s", args, &out)
	}
}

// vault stores logins under such names, also those that store would refuse.
func vault(t *testing.T, f *fixture) {
	a, err := app.Open(app.Env{Environ: f.variables(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := a.Vault.Open()
	defer s.Close()
	for _, server := range []string{f.text, "https://" + f.text + "/v1/", f.text + "*", registryHost} {
		l := identity.Login{Server: server, Kind: identity.RegistryUser, User: f.text}
		if _, err := s.PutLogin(t.Context(), l, secret.New("s")); err != nil {
			t.Fatal(err)
		}
	}
	for _, server := range []string{f.text, "https://" + f.text + "/v1/", f.text + "*"} {
		f.run(t, command{args: []string{"get"}, stdin: server})
		for _, args := range [][]string{{"status", server}, {"status", server, "--check"}, {"logout", server}} {
			f.run(t, command{args: args})
		}
	}
}

// planted replaces headers of the vault's files, which can be read without its key.
func planted(t *testing.T, f *fixture) {
	text := strings.ToValidUTF8(f.text, "?")
	f.principal()
	f.quiet(t, registryHost, "get") // a token
	for _, kind := range []string{
		"user", "service-principal", "managed-identity", "azure-cli", "registry-user", "anonymous", "federated-token", text,
	} {
		f.quiet(t, `{"ServerURL":"`+registryHost+`","Username":"ada","Secret":"s"}`, "store")
		f.quiet(t, "", "login", "*.azurecr.io", "--anonymous")
		files, _ := filepath.Glob(filepath.Join(f.home, "acr/vault/*/*"))
		patterns, _ := filepath.Glob(filepath.Join(f.home, "acr/vault/*/patterns/*"))
		files = append(files, patterns...)
		count := 0
		for _, file := range files {
			content, _ := os.ReadFile(file)
			magic, rest, _ := bytes.Cut(content, []byte("\n"))
			line, body, isSealed := bytes.Cut(rest, []byte("\n"))
			if !isSealed {
				continue
			}
			count++
			header := string(line[:bytes.IndexByte(line, ',')]) // the server, which the file's name is made of
			if strings.HasSuffix(file, ".token") {
				header = `{"server":` + quoted(text)
			}
			q := quoted(text)
			f.write(t, file, string(magic)+"\n"+header+
				`,"identity":`+quoted(kind)+`,"tenant":`+q+`,"client":`+q+`,"user":`+q+`,"object":`+q+
				`,"resource":`+q+`,"subscription":`+q+`,"tokenFile":`+q+`,"method":`+q+`,"fingerprint":`+q+
				`,"registryTenant":`+q+`,"issued":"2026-01-01T00:00:00Z","expires":"2100-01-01T00:00:00Z"}`+"\n"+string(body))
		}
		if count < 2 {
			t.Fatalf("%d files of the vault: %q", count, files)
		}
		for _, c := range commands(f.text) {
			f.run(t, c)
		}
	}
}

// failure plants a failure that other processes share.
func failure(t *testing.T, f *fixture) {
	f.principal()
	f.environ["AZURE_CLIENT_SECRET"] = "wrong"
	f.run(t, command{args: []string{"get"}, stdin: registryHost})
	files, _ := filepath.Glob(filepath.Join(f.home, "acr/vault/*/*"))
	isPlanted := false
	for _, file := range files {
		if content, _ := os.ReadFile(file); strings.HasSuffix(file, ".failed") {
			planted := failureText.ReplaceAllLiteral(content, []byte(`"text":`+quoted(f.text)))
			isPlanted = isPlanted || !bytes.Equal(planted, content)
			f.write(t, file, string(planted))
		}
	}
	if !isPlanted {
		t.Fatalf("no failure in %q", files)
	}
}

var failureText = regexp.MustCompile(`"text":"[^"]*"`)

// certificateFile has files that are no certificates.
func certificateFile(t *testing.T, f *fixture) {
	path := filepath.Join(f.home, "cert "+f.text+".pem")
	f.write(t, path, "-----BEGIN CERTIFICATE-----\n"+f.text+"\n-----END CERTIFICATE-----\n")
	f.environ["AZURE_CLIENT_ID"], f.environ["AZURE_TENANT_ID"] = clientID, tenantID
	f.environ["AZURE_CLIENT_CERTIFICATE_PATH"] = path
	f.run(t, command{args: []string{
		"login", registryHost, "--certificate", path, "--client-id", clientID, "--tenant", tenantID,
	}})
	f.run(t, command{args: []string{
		"login", registryHost, "--service-principal", "--client-id", clientID, "--tenant", tenantID, "--secret-file", path,
	}})
}
