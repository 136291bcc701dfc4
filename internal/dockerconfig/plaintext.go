package dockerconfig

import "slices"

// An Action is what happens to a plaintext credential.
type Action string

// Actions.
const (
	Keep   Action = "keep"   // it stays in the file
	Delete Action = "delete" // it is deleted from the file
	Move   Action = "move"   // this helper stores it, and then it is deleted from the file
	Copy   Action = "copy"   // this helper stores it, and it stays in the file too
	Stop   Action = "stop"   // nothing at all is changed
)

// Stores reports whether this helper stores the credential.
func (a Action) Stores() bool { return a == Move || a == Copy }

// A Reason is why an action is right.
type Reason string

// Reasons.
const (
	HelperSignsIn    Reason = "helper-signs-in"   // this helper needs no stored password for the registry
	TokenExpires     Reason = "token-expires"     // it is a token, worthless in some hours
	AlreadyStored    Reason = "already-stored"    // this helper has stored the same
	OnlyCopy         Reason = "only-copy"         // without it, there may be no way to sign in to the registry
	PodmanReads      Reason = "podman-reads"      // Podman finds it in Docker's file, and doesn't ask this helper
	SomeRepositories Reason = "some-repositories" // to store it would make it count for the whole registry
	InvalidName      Reason = "invalid-name"      // this helper stores nothing under the name of the server
	Incomplete       Reason = "incomplete"        // it has no user name, or no password
	CannotStore      Reason = "cannot-store"      // this helper can't store it durably
	OtherStored      Reason = "other-stored"      // this helper has stored another one; only the user knows which is right
	OtherPlanned     Reason = "other-planned"     // another file has another one, which is about to be stored
)

// Facts are what the action depends on other than the credential itself.
type Facts struct {
	// OtherRegistry says that the registry is not an Azure container registry.
	OtherRegistry bool
	// HelperSignsIn says that this helper gets a token for the registry as a configured
	// identity.
	HelperSignsIn bool
	// PodmanReads says that the credential is in Docker's file, and that Podman reads it
	// there without asking this helper.
	PodmanReads bool
	// SomeRepositories says that the file's client uses it only for some repositories of
	// the registry.
	SomeRepositories bool
	// InvalidName says that this helper stores nothing under the name of the server.
	InvalidName bool
	// Stored says what stands in the way of storing it: "" for nothing, or if that is not
	// known; else AlreadyStored, CannotStore, OtherStored or OtherPlanned.
	Stored Reason
}

// Classify decides what happens to a plaintext credential of a registry for which clients
// ask this helper from now on. No credential is deleted that may be the only one for its
// registry, unless this helper has it.
func Classify(c Credential, f Facts) (Action, Reason) {
	isNeeded := f.OtherRegistry || !c.Token && !f.HelperSignsIn
	switch {
	case !isNeeded && f.PodmanReads:
		return Keep, PodmanReads
	case !isNeeded && f.HelperSignsIn:
		return Delete, HelperSignsIn
	case !isNeeded:
		return Delete, TokenExpires
	case f.SomeRepositories:
		return Keep, SomeRepositories
	case f.InvalidName:
		return Keep, InvalidName
	case c.User == "" || c.Secret.IsZero():
		return Keep, Incomplete
	case f.Stored == OtherPlanned:
		return Stop, f.Stored
	case f.Stored == OtherStored, f.Stored == CannotStore:
		return Keep, f.Stored
	case f.Stored == AlreadyStored && f.PodmanReads:
		return Keep, PodmanReads
	case f.Stored == AlreadyStored:
		return Delete, AlreadyStored
	case f.PodmanReads:
		return Copy, PodmanReads
	}
	return Move, OnlyCopy
}

// PodmanReads reports whether Podman finds a credential of Docker's file there, and
// doesn't ask this helper instead: Podman ignores credsStore, and calls Docker Hub by
// another name. willAsk says that Podman is going to ask this helper about all
// registries.
func (p Paths) PodmanReads(c Credential, server string, docker Contents, willAsk bool) bool {
	helpers, _, err := p.AllRegistriesHelpers()
	asks := willAsk || docker.Helpers[server] == Helper || err == nil && slices.Contains(helpers, Helper)
	return c.Podman && (!asks || c.isDockerHub()) && slices.Contains(p.Search, p.Docker)
}

// PodmanReadsFirst reports whether Podman uses a credential of one of its files before it
// asks this helper, which is configured for all registries or, in the last file, for the
// credential's one.
func (p Paths) PodmanReadsFirst(c Credential, server string, file Contents, forAll, isLast bool) bool {
	switch {
	case !c.IsFor(server), file.Helpers[server] == Helper: // within a file, the helper comes first
		return false
	case forAll:
		helpers, _, _ := p.AllRegistriesHelpers()
		files, own := slices.Index(helpers, AuthFiles), slices.Index(helpers, Helper)
		return 0 <= files && files < own
	}
	return !isLast
}
