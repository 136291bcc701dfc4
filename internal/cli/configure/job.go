package configure

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// The names of clients, as --client takes them.
const (
	docker = "docker"
	podman = "podman"
)

// programs are what clients are run as.
var programs = map[string][]string{docker: {"docker"}, podman: {"podman", "skopeo", "buildah"}}

// A client is one whose files are edited, and why it is taken to be here.
type client struct{ name, because string }

// A draft is a file and what it is to become; no text means that it goes.
type draft struct {
	atomicfile.File
	text []byte
}

func (f *draft) changed() bool {
	return !bytes.Equal(f.text, f.Text) || f.Exists != (f.text != nil)
}

// A job is one run of configure or unconfigure.
type job struct {
	desk.Desk
	flags
	rooms   *wiring.Rooms
	clouds  registry.Clouds
	hosts   []string
	places  clientconfig.Places
	hidden  string // a file of Podman's that we may not look for; "" for none
	clients []client
	drafts  []*draft
	moves   []leftover
	notes   []string // to be said when all is done
}

func newJob(d desk.Desk, f flags, args []string) (*job, error) {
	rooms, err := d.Open()
	if err != nil {
		return nil, err
	}
	j := &job{Desk: d, flags: f, rooms: rooms}
	if j.places, err = clientconfig.FindPlaces(d.Getenv); err != nil {
		return nil, err
	}
	if err := j.readHosts(args); err != nil {
		return nil, err
	}
	return j, j.findClients()
}

func (j *job) readHosts(args []string) (err error) {
	if j.clouds, err = j.rooms.Identities.Config.Clouds(); err != nil && (len(args) > 0 || !j.undo) {
		return err // which names mean what, and who keeps other registries' logins, is not known
	}
	for _, typed := range args {
		target, _, err := desk.ReadTarget(j.clouds, typed)
		switch {
		case j.undo && slices.Contains(j.places.Named(), typed):
			target = typed // whatever it is, it can be taken out
		case err != nil && !j.undo:
			return mistype.Errorf("%w; --all-registries is for all of them", err)
		case err != nil:
			return err
		case strings.Contains(target, "*"):
			return mistype.Errorf("Docker and Podman know no patterns such as %s: name each registry, or use --all-registries", target)
		}
		j.hosts = append(j.hosts, target)
	}
	return nil
}

// spellings are the names in a file that mean a registry and name this helper. Clients
// look up one of them, the bare host.
func (j *job) spellings(text []byte, host string) (names []string) {
	r, _ := clientconfig.Read(text)
	for _, name := range r.Named() {
		if named, err := j.clouds.ParseHost(name); name == host || err == nil && named.String() == host {
			names = append(names, name)
		}
	}
	return names
}

// findClients picks the client that was named, or those that are here.
func (j *job) findClients() error {
	j.hidden = j.places.LeaveHidden()
	switch j.client {
	case docker, podman:
		j.clients = []client{{j.client, "as --client says"}}
		return nil
	case "":
	default:
		return mistype.Errorf("--client is neither %s nor %s", docker, podman)
	}
	files := map[string][]string{docker: {j.places.Docker}, podman: append(j.places.DropIns(), j.places.Auth...)}
	for _, name := range []string{docker, podman} {
		if because := j.here(programs[name], files[name]); because != "" {
			j.clients = append(j.clients, client{name, because})
		}
	}
	if len(j.clients) == 0 {
		return mistype.Errorf("neither Docker nor Podman, Skopeo or Buildah is on the PATH or has a file here; say which by --client docker or --client podman")
	}
	return nil
}

// concerns says whether the run is about a client.
func (j *job) concerns(name string) bool {
	return slices.ContainsFunc(j.clients, func(c client) bool { return c.name == name })
}

// here is why a client is taken to be here; "" if it isn't.
func (j *job) here(programs, files []string) string {
	for _, name := range programs {
		if j.onPath(name) {
			return name + " is on the PATH"
		}
	}
	for _, path := range files {
		if file, err := atomicfile.Read(path); err != nil || file.Exists {
			return path + " exists"
		}
	}
	return ""
}

func (j *job) onPath(program string) bool { return j.rooms.Entra.Tools.Find(program) != "" }

// draft is what a file is to become so far. One file may be two clients'.
func (j *job) draft(path string) (*draft, error) {
	file, err := atomicfile.Read(path)
	if err != nil {
		return nil, desk.About(path, err)
	}
	for _, known := range j.drafts {
		if known.Same(file) {
			return known, nil
		}
	}
	f := &draft{File: file, text: file.Text}
	j.drafts = append(j.drafts, f)
	return f, nil
}

func (j *job) edit(path string, change func(text []byte) ([]byte, error)) error {
	f, err := j.draft(path)
	if err != nil {
		return err
	}
	text, err := change(f.text)
	if err == nil && !bytes.Equal(text, f.text) {
		err = f.Editable()
	}
	if err != nil {
		return desk.About(path, err)
	}
	f.text = text
	return nil
}

// editExisting leaves alone what isn't there.
func (j *job) editExisting(path string, change func(text []byte) ([]byte, error)) error {
	if f, err := j.draft(path); err != nil || !f.Exists || f.text == nil {
		return err
	}
	return j.edit(path, change)
}

// finish shows what changes, and writes it.
func (j *job) finish() (changes bool, err error) {
	changed := slices.DeleteFunc(slices.Clone(j.drafts), func(f *draft) bool { return !f.changed() })
	for _, f := range changed {
		fmt.Fprint(j.Stdout, clientconfig.Diff(f.File, f.text))
	}
	switch {
	case len(changed)+len(j.moves) == 0:
		fmt.Fprintln(j.Stderr, "there is nothing to change")
	case j.dryRun:
		fmt.Fprintln(j.Stderr, "nothing was written")
	default:
		err = j.write(changed)
	}
	return len(changed) > 0, err
}

// write tries to make every file ready before anything is done, so that a directory that
// can't be written to, or a full disk, is in the way of all. A password is in the vault
// before it leaves a file; and nothing half-made lies about while that takes its time.
func (j *job) write(changed []*draft) error {
	changes, err := prepare(changed)
	discard(changes)
	if err == nil {
		err = j.move()
	}
	if err == nil {
		changes, err = prepare(changed)
		defer discard(changes)
	}
	if err != nil {
		return err
	}
	for i, f := range changed {
		if err := changes[i].Apply(); err != nil {
			return desk.About(f.Path, err)
		}
		fmt.Fprintln(j.Stderr, f.done(), f.Path)
	}
	return nil
}

func prepare(drafts []*draft) (changes []*atomicfile.Change, err error) {
	for _, f := range drafts {
		c, err := f.Prepare(f.text)
		if err != nil {
			return changes, desk.About(f.Path, err)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func discard(changes []*atomicfile.Change) {
	for _, c := range changes {
		c.Discard()
	}
}

func (f *draft) done() string {
	if f.text == nil {
		return "removed"
	}
	return "wrote"
}
