package script

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
	Profile        string // what az login makes of the profile meanwhile; "" for nothing
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
	if err := os.WriteFile(filepath.Join(dir, "fake-pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		panic(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, azAnswerFile))
	if err != nil {
		panic(err)
	}
	var answer azAnswer
	if err := json.Unmarshal(content, &answer); err != nil {
		panic(err)
	}
	if answer.Profile != "" {
		if err := os.WriteFile(filepath.Join(dir, "azureProfile.json"), []byte(answer.Profile), 0o644); err != nil {
			panic(err)
		}
	}
	time.Sleep(answer.Sleep)
	fmt.Print(answer.Stdout)
	fmt.Fprint(os.Stderr, answer.Stderr)
	os.Exit(answer.Status)
}

// signInAz signs a user in to the stand-in for az:
//
//	cloud do az USER [old|signed-out|expired|mfa|slow|garbage|noise|other-tenant|traceback|switched]
func signInAz(ts *testscript.TestScript, s *fixture, a []string) {
	user := s.user(a[0])
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
	case "mfa":
		answer.Status, answer.Stderr = 1, "ERROR: AADSTS50076: Due to a configuration change made by your administrator\n"
	case "traceback":
		answer.Status, answer.Stderr = 1, "Traceback (most recent call last):\n  File \"az\"\n"
	}
	out, err := json.Marshal(fields)
	ts.Check(err)
	if answer.Stdout = string(out); answer.Status != 0 {
		answer.Stdout = ""
	}
	if state == "garbage" {
		answer.Stdout = "WARNING: something else " + answer.Stdout[:len(answer.Stdout)-1]
	}
	if state == "noise" {
		answer.Stdout = "WARNING: {something else}\n" + answer.Stdout + "\n\x1b[0m"
	}
	dir := ts.Getenv("AZURE_CONFIG_DIR")
	ts.Check(os.MkdirAll(dir, 0o700))
	profile := func(user string) string {
		return fmt.Sprintf("\ufeff"+`{"subscriptions":[{"id":"x","isDefault":true,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":%q,"type":"user"}}]}`, s.tenant.ID(), user)
	}
	if state == "switched" {
		answer.Profile = profile("eve@contoso.example")
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "azureProfile.json"), []byte(profile(user.UPN())), 0o644))
	content, err := json.Marshal(answer)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, azAnswerFile), content, 0o600))
}

// waitCommand waits until a file is there: waitfor FILE.
func waitCommand(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, "there is no "+args[0], func() bool { return fileExists(ts.MkAbs(args[0])) })
}

// endedCommand waits until the process whose id a file holds has ended: ended FILE.
func endedCommand(ts *testscript.TestScript, _ bool, args []string) {
	pid := strings.TrimSpace(ts.ReadFile(args[0]))
	eventually(ts, "az is still running", func() bool {
		status, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(status), ") Z ")
	})
}

func eventually(ts *testscript.TestScript, otherwise string, is func() bool) {
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s", otherwise)
}

// fakeTool plays azd and PowerShell: it notes its arguments and prints what the
// script has put into $HOME/TOOL-answer.
func fakeTool() {
	tool := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	log := open(filepath.Join(os.Getenv("HOME"), tool+"-calls"))
	fmt.Fprintf(log, "%s %s\n", tool, strings.Join(os.Args[1:], " "))
	content, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), tool+answerSuffix))
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERROR: not logged in, run `azd auth login` to login")
		os.Exit(1)
	}
	os.Stdout.Write(content)
}

const answerSuffix = "-answer"

// signInTool signs a user in to the stand-in for azd or pwsh: cloud do tool TOOL USER.
func signInTool(ts *testscript.TestScript, s *fixture, a []string) {
	user := s.user(a[1])
	home := ts.Getenv("HOME")
	end := time.Now().Add(75 * time.Minute).UTC()
	answer := map[string]any{"token": user.AccessToken("https://containerregistry.azure.net", 0), "expiresOn": end}
	files := map[string]string{".azd/auth.json": fmt.Sprintf(`{"auth":{"account":{"currentUser":{"homeAccountId":"%s.%s"}}}}`, user.ObjectID(), s.tenant.ID())}
	if a[0] == "pwsh" {
		answer = map[string]any{"Token": answer["token"], "ExpiresOn": end.Unix(), "TenantId": s.tenant.ID()}
		files = map[string]string{".Azure/AzureRmContext.json": fmt.Sprintf(
			`{"DefaultContextKey":"a","Contexts":{"a":{"Account":{"Id":%q},"Tenant":{"Id":%q},"Environment":{"Name":"AzureCloud"}}}}`, user.UPN(), s.tenant.ID())}
	}
	content, err := json.Marshal(answer)
	ts.Check(err)
	files[a[0]+answerSuffix] = string(content)
	for name, content := range files {
		path := filepath.Join(home, filepath.FromSlash(name))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		ts.Check(os.WriteFile(path, []byte(content), 0o600))
	}
}
