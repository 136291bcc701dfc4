// Package configure is the commands that name the helper in clients' files, and take
// it out again.
//
// (The package is a little longer than a room of this house should be: what becomes of
// logins that lie in those files in clear belongs to the same plan as the edits, since a
// password may leave a file only when it is kept.)
package configure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// Commands are configure and unconfigure.
func Commands(d desk.Desk) []*cobra.Command {
	return []*cobra.Command{configureCommand(d), unconfigureCommand(d)}
}

// flags are the commands' flags, as they were typed.
type flags struct {
	client          string
	undo            bool // unconfigure
	every, dryRun   bool
	force           bool
	removeLeftovers bool
}

func (f *flags) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.client, "client", "", "only this client: docker, or podman (with Skopeo and Buildah); otherwise all that are here")
	_ = c.RegisterFlagCompletionFunc("client", cobra.FixedCompletions([]string{docker, podman}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would change, and write nothing")
}

func configureCommand(d desk.Desk) *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "configure [REGISTRY…]",
		Short: "name this helper in the files of Docker and Podman",
		Long: `Name this helper in Docker's config.json and Podman's auth.json for the
registries that are named, or with --all-registries for every registry there is.
What changes is shown, without secrets. Whatever else stands there stays as it
is; nothing is written if another helper is in the way.`,
		Example: "  " + desk.Program + " configure contoso.azurecr.io\n" +
			"  " + desk.Program + " configure --all-registries --client podman --dry-run",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !f.every {
				return mistype.Errorf("say which registries, or --all-registries")
			}
			return desk.About(c.Name(), run(d, f, args, (*job).configure))
		},
	}
	f.addTo(c)
	c.Flags().BoolVar(&f.every, "all-registries", false, "be asked about every registry, and keep the logins of all")
	c.Flags().BoolVar(&f.force, "force", false, "replace another helper")
	c.Flags().BoolVar(&f.removeLeftovers, "remove-leftovers", false, "remove logins in clear; a password that may be all there is, this helper keeps")
	return c
}

func unconfigureCommand(d desk.Desk) *cobra.Command {
	f := flags{undo: true}
	c := &cobra.Command{
		Use:   "unconfigure [REGISTRY…]",
		Short: "take this helper out of the files of Docker and Podman",
		Long: `Take this helper out of Docker's and Podman's files: for the registries that are
named, with --all-registries for what "configure --all-registries" wrote,
without either wherever it is named. What names another helper stays.`,
		Example: "  " + desk.Program + " unconfigure contoso.azurecr.io",
		RunE: func(c *cobra.Command, args []string) error {
			return desk.About(c.Name(), run(d, f, args, (*job).unconfigure))
		},
	}
	f.addTo(c)
	c.Flags().BoolVar(&f.every, "all-registries", false, `undo "configure --all-registries" only`)
	return c
}

// run plans all edits before it writes the first, so that what is in the way of one
// is in the way of all.
func run(d desk.Desk, f flags, args []string, plan func(*job, string) error) error {
	j, err := newJob(d, f, args)
	if err != nil {
		return err
	}
	for _, client := range j.clients {
		fmt.Fprintf(j.Stderr, "%s: %s\n", client.name, client.because)
		if err := plan(j, client.name); err != nil {
			return err
		}
	}
	changed, err := j.finish()
	for _, note := range j.notes { // last, where they are read
		fmt.Fprintln(j.Stderr, note)
	}
	switch {
	case err != nil, !changed:
	case f.undo:
		j.sayWhatStays()
	default:
		j.sayHowToSignIn()
	}
	return err
}

// configure plans what names us in a client's files.
func (j *job) configure(client string) error {
	if !j.onPath(desk.Program) {
		fmt.Fprintf(j.Stderr, "%s: will not find %s, which is not on the PATH\n", client, desk.Program)
	}
	if client == docker {
		if err := j.nameIn(j.places.Docker); err != nil {
			return err
		}
		if j.every {
			if err := j.edit(j.places.Docker, func(text []byte) ([]byte, error) { return clientconfig.SetStore(text, j.force) }); err != nil {
				return err
			}
			j.warnOfOthers()
		}
		j.warnOfVariable()
		return j.clear(client, j.places.Docker)
	}
	if j.hidden != "" {
		fmt.Fprintf(j.Stderr, "podman: %s may not be looked at from here, and is passed over; XDG_RUNTIME_DIR says where it lies\n", j.hidden)
	}
	kept := len(j.places.Auth) - 1
	for i, path := range j.places.Auth {
		if i == kept || j.namesHelper(path) { // where another helper's entry would win
			if err := j.nameIn(path); err != nil {
				return err
			}
		}
	}
	if j.every {
		if err := j.dropIn(); err != nil {
			return err
		}
	}
	return j.clear(client, j.places.Auth...)
}

// nameIn plans to name us in one file for each of the registries.
func (j *job) nameIn(path string) error {
	for _, host := range j.hosts {
		set := func(text []byte) ([]byte, error) {
			text, err := clientconfig.SetHelper(text, host, j.force)
			for _, name := range j.spellings(text, host) {
				if name != host && err == nil {
					text, err = clientconfig.UnsetHelper(text, name)
				}
			}
			return text, err
		}
		if err := j.edit(path, set); err != nil {
			return err
		}
	}
	return nil
}

// namesHelper says whether a file has a word about one of the registries.
func (j *job) namesHelper(path string) bool {
	draft, err := j.draft(path)
	if err != nil {
		return true // let the edit say why
	}
	r, err := clientconfig.Read(draft.text)
	return err != nil || slices.ContainsFunc(j.hosts, func(host string) bool {
		_, named := r.Helpers[host]
		return named
	})
}

func (j *job) dropIn() error {
	wanted, err := j.places.WantsDropIn(j.force)
	if err != nil || !wanted {
		return desk.About(j.places.DropIn, err)
	}
	set := func(text []byte) ([]byte, error) { return clientconfig.SetDropIn(text, j.force) }
	if err := j.edit(j.places.DropIn, set); err != nil {
		return err
	}
	f, err := j.draft(j.places.DropIn)
	if err != nil {
		return err
	}
	if j.places.ForAll() {
		fmt.Fprintf(j.Stderr, "podman: %s counts for every user of this machine; each must have %s on the PATH\n", f.Path, desk.Program)
	}
	if !f.Exists {
		f.Mode = 0o644 // it holds no secret, and in /etc an unreadable one would stop everybody else's Podman
	}
	return nil
}

// unconfigure plans what takes us out of a client's files.
func (j *job) unconfigure(client string) error {
	files := j.places.Auth
	if client == docker {
		files = []string{j.places.Docker}
	}
	for _, path := range files {
		if err := j.takeOut(client, path); err != nil {
			return err
		}
	}
	if client == docker || !j.undoesEvery() {
		return nil
	}
	for _, path := range j.places.DropIns() {
		remove := func(text []byte) ([]byte, error) {
			if !clientconfig.IsDropIn(text) {
				fmt.Fprintf(j.Stderr, "%s was changed by somebody else, and stays\n", path)
				return text, nil
			}
			return nil, nil
		}
		if err := j.editExisting(path, remove); err != nil {
			return err
		}
	}
	return nil
}

// undoesEvery says whether what configure --all-registries wrote is to go.
func (j *job) undoesEvery() bool { return j.every || len(j.hosts) == 0 }

func (j *job) takeOut(client, path string) error {
	unset := func(text []byte) (_ []byte, err error) {
		if len(j.hosts) == 0 && !j.every {
			return clientconfig.UnsetHelper(text, "") // any
		}
		for _, host := range j.hosts {
			for _, name := range j.spellings(text, host) {
				if text, err = clientconfig.UnsetHelper(text, name); err != nil {
					return text, err
				}
			}
		}
		return text, nil
	}
	if err := j.editExisting(path, unset); err != nil {
		return err
	}
	if client == docker && j.undoesEvery() {
		return j.editExisting(path, clientconfig.UnsetStore)
	}
	return nil
}

// sayHowToSignIn warns of podman login, which stores by the first of its files, whomever
// the others name, unless every registry has a helper.
func (j *job) sayHowToSignIn() {
	if !j.every && len(j.places.Auth) > 1 && j.concerns(podman) {
		fmt.Fprintf(j.Stderr, "podman: sign in by %s login; podman login would keep a password in clear, in %s\n", desk.Program, j.places.Auth[0])
	}
}

// sayWhatStays names what goes on after unconfigure: Podman asks whom Docker's file
// names, and the helper keeps what it was given to keep.
func (j *job) sayWhatStays() {
	if f, err := j.draft(j.places.Docker); err == nil && !j.concerns(docker) && slices.Contains(j.places.Search, j.places.Docker) {
		r, _ := clientconfig.Read(f.text)
		names := r.Named()
		for i, name := range names {
			names[i] = clientconfig.Shown(name)
		}
		if len(names) > 0 {
			fmt.Fprintf(j.Stderr, "podman: goes on asking this helper about %s, as %s says\n", strings.Join(names, ", "), j.places.Docker)
		}
	}
	logins, _ := j.rooms.Vault.List()
	if slices.ContainsFunc(logins, identity.Login.Sealed) {
		fmt.Fprintf(j.Stderr, "this helper keeps the logins that it has (%s status); its clients have to log in anew\n", desk.Program)
	}
}
