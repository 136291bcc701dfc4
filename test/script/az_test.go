package script

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// azAnswerFile tells the stand-in for az what to print and how to end. azLog is
// where it writes how it was called.
const (
	azAnswerFile = "fake-answer.json"
	azLog        = "fake-calls"
)

type azAnswer struct {
	Stdout, Stderr string
	Status         int
	Sleep          time.Duration
}

// fakeAz plays Azure CLI: it notes its arguments, directory and environment,
// and answers as the script has set it up.
func fakeAz() {
	dir := os.Getenv("AZURE_CONFIG_DIR")
	log := open(filepath.Join(dir, azLog))
	cwd, _ := os.Getwd()
	fmt.Fprintf(log, "az %s (in %s)\n%s\n", strings.Join(os.Args[1:], " "), cwd, strings.Join(os.Environ(), "\n"))
	content, err := os.ReadFile(filepath.Join(dir, azAnswerFile))
	if err != nil {
		panic(err)
	}
	var answer azAnswer
	if err := json.Unmarshal(content, &answer); err != nil {
		panic(err)
	}
	time.Sleep(answer.Sleep)
	fmt.Print(answer.Stdout)
	fmt.Fprint(os.Stderr, answer.Stderr)
	os.Exit(answer.Status)
}

// signInAz signs a user in to the stand-in for az:
//
//	cloud do az USER [old|signed-out|expired|slow|garbage|other-tenant|traceback]
func signInAz(ts *testscript.TestScript, s *stage, a []string) {
	user := s.tenant.AddUser(a[0])
	s.registry.Grant(user, "AcrPull")
	state := ""
	if len(a) > 1 {
		state = a[1]
	}
	end := time.Now().Add(75 * time.Minute)
	fields := map[string]any{
		"accessToken": user.AccessToken("https://containerregistry.azure.net", 0), "tenant": s.tenant.ID(), "tokenType": "Bearer",
		"expiresOn": end.Local().Format("2006-01-02 15:04:05.000000"), "expires_on": end.Unix(),
	}
	var answer azAnswer
	switch state {
	case "old": // az 2.45
		delete(fields, "expires_on")
	case "other-tenant":
		fields["tenant"] = "99999999-9999-9999-9999-999999999999"
	case "slow":
		answer.Sleep = time.Minute
	case "signed-out":
		answer.Status, answer.Stderr = 1, "ERROR: Please run 'az login' to setup account.\n"
	case "expired":
		answer.Status = 1
		answer.Stderr = "ERROR: AADSTS700082: The refresh token has expired due to inactivity. \nInteractive authentication is needed. Please run:\naz login --scope https://containerregistry.azure.net/.default\n"
	case "traceback":
		answer.Status, answer.Stderr = 1, "Traceback (most recent call last):\n  File \"az\"\n"
	}
	out, err := json.Marshal(fields)
	ts.Check(err)
	if answer.Stdout = string(out); answer.Status != 0 {
		answer.Stdout = ""
	}
	if state == "garbage" {
		answer.Stdout = "WARNING: something else " + answer.Stdout
	}
	dir := ts.Getenv("AZURE_CONFIG_DIR")
	ts.Check(os.MkdirAll(dir, 0o700))
	profile := fmt.Sprintf("\ufeff"+`{"subscriptions":[{"id":"x","isDefault":true,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":%q,"type":"user"}}]}`, s.tenant.ID(), user.UPN())
	ts.Check(os.WriteFile(filepath.Join(dir, "azureProfile.json"), []byte(profile), 0o644))
	content, err := json.Marshal(answer)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, azAnswerFile), content, 0o600))
}
