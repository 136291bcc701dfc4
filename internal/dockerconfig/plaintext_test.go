package dockerconfig

import (
	"path/filepath"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

func TestClassify(t *testing.T) {
	password := Credential{User: "a", Secret: secret.New("b")}
	token := Credential{User: "<token>", Secret: secret.New("t"), Token: true}
	undecodable := Credential{}
	for _, row := range []struct {
		name       string
		credential Credential
		facts      Facts
		action     Action
		reason     Reason
	}{
		// A registry for which a token is enough, or for which this helper signs in by itself, loses nothing.
		{"token of ACR", token, Facts{}, Delete, TokenExpires},
		{"token of ACR that Podman reads", token, Facts{PodmanReads: true}, Keep, PodmanReads},
		{"token of ACR, and identity", token, Facts{HelperSignsIn: true}, Delete, HelperSignsIn},
		{"token of ACR for some repositories", token, Facts{SomeRepositories: true}, Delete, TokenExpires},
		{"password, and identity", password, Facts{HelperSignsIn: true}, Delete, HelperSignsIn},
		{"identity, and Podman reads it", password, Facts{HelperSignsIn: true, PodmanReads: true}, Keep, PodmanReads},
		{"undecodable, and identity", undecodable, Facts{HelperSignsIn: true}, Delete, HelperSignsIn},

		// Otherwise the credential may be the only one, so it is stored first.
		{"password", password, Facts{}, Move, OnlyCopy},
		{"password that Podman reads", password, Facts{PodmanReads: true}, Copy, PodmanReads},
		{"another registry's password", password, Facts{OtherRegistry: true}, Move, OnlyCopy},
		{"another registry's token", token, Facts{OtherRegistry: true}, Move, OnlyCopy},
		{"another registry's, and Podman reads it", token, Facts{OtherRegistry: true, PodmanReads: true}, Copy, PodmanReads},

		// What can't be stored stays.
		{"password for some repositories", password, Facts{SomeRepositories: true}, Keep, SomeRepositories},
		{"invalid name", password, Facts{OtherRegistry: true, InvalidName: true}, Keep, InvalidName},
		{"undecodable", undecodable, Facts{}, Keep, Incomplete},
		{"password without user", Credential{Secret: secret.New("b")}, Facts{}, Keep, Incomplete},
		{"user without password", Credential{User: "a"}, Facts{PodmanReads: true}, Keep, Incomplete},
		{"no keyring", password, Facts{Stored: CannotStore}, Keep, CannotStore},

		// What is stored already is compared.
		{"same stored", password, Facts{Stored: AlreadyStored}, Delete, AlreadyStored},
		{"same stored, and Podman reads it", password, Facts{Stored: AlreadyStored, PodmanReads: true}, Keep, PodmanReads},
		{"other stored", password, Facts{Stored: OtherStored}, Keep, OtherStored},
		{"other stored, and Podman reads it", password, Facts{Stored: OtherStored, PodmanReads: true}, Keep, OtherStored},
		{"other in another file", password, Facts{Stored: OtherPlanned}, Stop, OtherPlanned},
		{"other, and Podman reads it", password, Facts{Stored: OtherPlanned, PodmanReads: true}, Stop, OtherPlanned},
	} {
		action, reason := Classify(row.credential, row.facts)
		if action != row.action || reason != row.reason {
			t.Errorf("%s: %s, %s", row.name, action, reason)
		}
	}
}

// TestClassify_deletes_nothing_needed tries all facts: nothing that is needed is deleted, unless it is stored.
func TestClassify_deletes_nothing_needed(t *testing.T) {
	is := func(bits, i int) bool { return bits>>i&1 == 1 }
	for bits := range 1 << 8 {
		for _, stored := range []Reason{"", AlreadyStored, CannotStore, OtherStored, OtherPlanned} {
			c := Credential{Token: is(bits, 0)}
			if is(bits, 1) {
				c.User = "a"
			}
			if is(bits, 2) {
				c.Secret = secret.New("b")
			}
			f := Facts{is(bits, 3), is(bits, 4), is(bits, 5), is(bits, 6), is(bits, 7), stored}
			action, reason := Classify(c, f)
			isNeeded := f.OtherRegistry || !c.Token && !f.HelperSignsIn
			if action == Delete && isNeeded && stored != AlreadyStored || f.PodmanReads && (action == Delete || action == Move) {
				t.Errorf("%+v, %+v: %s, %s", c, f, action, reason)
			}
			if action.Stores() && (stored != "" || c.User == "" || c.Secret.IsZero() || f.InvalidName) {
				t.Errorf("%+v, %+v: %s, %s", c, f, action, reason)
			}
		}
	}
}

// TestPaths_PodmanReads_and_PodmanReadsFirst takes the same credential from Docker's file and from one of Podman's.
func TestPaths_PodmanReads_and_PodmanReadsFirst(t *testing.T) {
	const host = "contoso.azurecr.io"
	ours := Contents{Helpers: map[string]string{host: Helper}}
	for _, row := range []struct {
		name        string
		server      string
		conf        string
		contents    Contents
		forAll      bool
		reads       bool
		first, last bool
	}{
		{name: "helper in a later file", server: host, reads: true, first: true},
		{name: "helper in the same file", server: host, contents: ours},
		{name: "helper for all, first", server: host, conf: "['acr', 'containers-auth.json']", forAll: true},
		{
			name: "helper for all, last", server: host, conf: "['containers-auth.json', 'acr']",
			forAll: true, first: true, last: true,
		},
		{name: "helper for all, and no files", server: host, conf: "['acr']", forAll: true},
		{name: "another helper for all", server: host, conf: "['pass']", forAll: true},
		{name: "helper for all, planned", server: host, forAll: true},
		{name: "some repositories", server: host + "/team", reads: true, first: true},
		{name: "Docker Hub", server: DockerHub, conf: "['acr', 'containers-auth.json']", forAll: true, reads: true},
	} {
		p := Paths{Docker: "config.json", Search: []string{"config.json"}, registriesConf: filepath.Join(t.TempDir(), "conf")}
		if row.conf != "" {
			write(t, p.registriesConf, "credential-helpers = "+row.conf, 0o600)
		}
		c := Credential{Server: row.server, Podman: true}
		if got := p.PodmanReads(c, c.Hostname(), row.contents, row.forAll); got != row.reads {
			t.Errorf("%s: Podman reads Docker's: %v", row.name, got)
		}
		for _, isLast := range []bool{false, true} {
			want := row.first && !isLast || row.last && isLast
			if got := p.PodmanReadsFirst(c, host, row.contents, row.forAll, isLast); got != want {
				t.Errorf("%s, last file %v: Podman reads it first: %v", row.name, isLast, got)
			}
		}
		c.Podman = false // it can't decode the credential
		if p.PodmanReads(c, c.Hostname(), row.contents, false) ||
			p.PodmanReadsFirst(c, host, row.contents, row.forAll, false) {
			t.Errorf("%s: Podman reads what it can't decode", row.name)
		}
	}
}
