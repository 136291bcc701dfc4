package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

// file is the part of a file that every client reads.
type file struct {
	Auths       map[string]entry
	CredHelpers map[string]string
	CredsStore  string
}

// dockerFile has the types of all that Docker reads, because a wrong one is an error to it.
// (docker/cli 29, cli/config/configfile: ConfigFile.)
type dockerFile struct {
	file
	HTTPHeaders, Aliases, Features                                       map[string]string
	PsFormat, ImagesFormat, NetworksFormat, PluginsFormat, VolumesFormat string
	StatsFormat, ServiceInspectFormat, ServicesFormat, TasksFormat       string
	SecretFormat, ConfigFormat, NodesFormat, DetachKeys, CurrentContext  string
	PruneFilters, CLIPluginsExtraDirs                                    []string
	Proxies                                                              map[string]dockerProxy
	Plugins                                                              map[string]map[string]string
}

type dockerProxy struct{ HTTPProxy, HTTPSProxy, NoProxy, FTPProxy, AllProxy string }

// ReadDocker parses a text as Docker does, which reads nothing after the end of the object.
// Where a value that names no helper has a wrong type, or an auth can't be decoded, Docker
// warns, and goes on with what it has read: see Contents.Complaint. (docker/cli 29: LoadFromReader,
// LoadDefaultConfigFile.)
func ReadDocker(text []byte) (Contents, error) {
	if err := CheckEncoding(text); err != nil {
		return Contents{}, err
	}
	var f dockerFile
	err := json.NewDecoder(strings.NewReader(string(text))).Decode(&f)
	wrong, isType := errors.AsType[*json.UnmarshalTypeError](err)
	isEmpty := errors.Is(err, io.EOF)
	if err != nil && !isEmpty && !isType || isType && strings.Contains(wrong.Field, "Cred") {
		return Contents{}, errMalformed()
	}
	c := f.contents(isEmpty)
	if isType {
		c.Complaint = "a value in it has the wrong type"
		return c, nil
	}
	for _, e := range f.Auths {
		decoded, err := base64.StdEncoding.DecodeString(e.Auth)
		if user, _, ok := strings.Cut(string(decoded), ":"); e.Auth != "" && (err != nil || !ok || user == "") {
			c.Complaint = "an auth in it is not a username and password in base64"
		}
	}
	return c, nil
}

// ReadPodman parses a text as Podman does, which needs no more than two of its parts, but those
// exactly. (containers/image, pkg/docker/config: dockerConfigFile.)
func ReadPodman(text []byte) (Contents, error) {
	if err := CheckEncoding(text); err != nil {
		return Contents{}, err
	}
	var f struct {
		Auths       map[string]struct{ Auth, IdentityToken string }
		CredHelpers map[string]string
	}
	isEmpty := len(strings.TrimSpace(string(text))) == 0
	if !isEmpty && json.Unmarshal(text, &f) != nil {
		return Contents{}, errMalformed()
	}
	all := file{CredHelpers: f.CredHelpers, Auths: map[string]entry{}}
	for server, e := range f.Auths {
		all.Auths[server] = entry{Auth: e.Auth, IdentityToken: e.IdentityToken}
	}
	return all.contents(isEmpty), nil
}

// errMalformed quotes nothing of the text, as the decoder's error would.
func errMalformed() error {
	return fault.New(fault.ClientMalformed, "it is not a valid Docker config file (JSON)")
}

// ReadFile reads a file by a client's rules; its errors name it. One that doesn't exist is an
// error, too.
func ReadFile(path string, read func(text []byte) (Contents, error)) (c Contents, err error) {
	f, err := safefile.Open(path)
	if err == nil && !f.Exists {
		err = fs.ErrNotExist
	}
	if err == nil {
		c, err = read(f.Text)
	}
	if err != nil {
		return Contents{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// readOwn reads a file by the rules of the client that it belongs to.
func (p Paths) readOwn(path string) (Contents, error) {
	if path == p.Docker {
		return ReadFile(path, ReadDocker)
	}
	return ReadFile(path, ReadPodman)
}

// RegctlHosts returns the registries for which regctl has a login of its own, which it prefers
// to helpers. A file that can't be read has none. (regclient, config: Host.)
func (p Paths) RegctlHosts() (names []string) {
	var f struct {
		Hosts map[string]struct{ User, Pass, Token string }
	}
	text, err := safefile.Read(p.Regctl, safefile.MaxText)
	if err != nil || json.Unmarshal(text, &f) != nil {
		return nil
	}
	for name, h := range f.Hosts {
		if h.Pass+h.Token != "" {
			names = append(names, name)
		}
	}
	return names
}
