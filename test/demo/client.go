package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// A client is whatever talks to the registry and runs the helper for that.
type client interface {
	name() string
	login(secret string) outcome
	push() outcome
	pull() outcome // fails also when it brings something else than was pushed
	logout() outcome
	close()
}

// chooseClient takes a real client where it can reach the sandbox: through
// SSL_CERT_FILE, which Go programs honour on Linux and the BSDs only. Docker's
// daemon would need a configuration of its own.
func chooseClient(s *stage, choice string) (client, error) {
	real := map[string]func(*stage) (client, error){"skopeo": newSkopeo, "podman": newPodman}
	if found, ok := real[choice]; ok {
		return found(s)
	}
	if choice != "" && choice != "built-in" {
		return nil, fmt.Errorf("client %q is unknown, want skopeo, podman or built-in", choice)
	}
	for _, name := range []string{"skopeo", "podman"} {
		if choice != "" || runtime.GOOS != "linux" {
			break
		}
		if c, err := real[name](s); err == nil {
			return c, nil
		}
	}
	return &builtin{stage: s}, nil
}

// A tool is a client that is a program. Skopeo and Podman have their logins in
// common.
type tool struct {
	*stage
	command string
}

func (t tool) name() string { return t.command }
func (t tool) close()       {}

// do runs a command line as it is shown; nothing in it has spaces or quotes.
func (t tool) do(stdin, line string) outcome {
	args := strings.Fields(line)
	return t.exec(stdin, t.command+" "+line, t.command, args...)
}

// login hands the secret over standard input, where no process list shows it.
func (t tool) login(secret string) outcome {
	return t.do(secret, "login -u "+clientID+" --password-stdin "+host)
}

func (t tool) logout() outcome { return t.do("", "logout "+host) }

// skopeo copies between the image layout and the registry: it needs neither
// storage nor privileges.
type skopeo struct{ tool }

// newSkopeo looks no further: where Skopeo starts, it works.
func newSkopeo(s *stage) (client, error) {
	_, err := exec.LookPath("skopeo")
	return skopeo{tool{s, "skopeo"}}, err
}

func (k skopeo) push() outcome { return k.do("", "copy oci:image:1 docker://"+image) }

// pull compares manifests: Skopeo copies a compressed layer as it is.
func (k skopeo) pull() outcome {
	o := k.do("", "copy docker://"+image+" oci:pulled:1")
	if o.err != nil {
		return o
	}
	sent, err := readIndex(k.path("image"))
	came, err2 := readIndex(k.path("pulled"))
	o.err = errors.Join(err, err2)
	if sent != came {
		o.err = fmt.Errorf("the image pulled is %s, pushed was %s", came, sent)
	}
	return o
}

// podman keeps images, in a scratch storage here.
type podman struct{ tool }

// newPodman finds out whether Podman works at all: without root it takes user
// namespaces and a range of user ids, in a container often both are missing.
func newPodman(s *stage) (client, error) {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, err
	}
	storage := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", s.path("storage"), s.path("run", "storage"))
	if err := os.WriteFile(s.path("storage.conf"), []byte(storage), 0o600); err != nil {
		return nil, err
	}
	s.env = append(s.env, "CONTAINERS_STORAGE_CONF="+s.path("storage.conf"))
	p := podman{tool{s, "podman"}}
	if _, errs, err := s.quietly("", "podman", "import", "image/layer.tar.gz", image); err != nil {
		p.close()
		return nil, fmt.Errorf("podman doesn't work here: %s", strings.TrimSpace(errs))
	}
	return p, nil
}

func (p podman) push() outcome { return p.do("", "push "+image) }

// pull deletes the image first, or Podman would find that it has every layer. It
// compares image ids, because Podman compresses anew and so changes digests.
func (p podman) pull() outcome {
	sent, _, err := p.quietly("", "podman", "image", "inspect", "--format={{.Id}}", image)
	if err != nil {
		return outcome{err: err}
	}
	if _, _, err := p.quietly("", "podman", "rmi", image); err != nil {
		return outcome{err: err}
	}
	o := p.do("", "pull "+image)
	if o.err == nil && strings.TrimSpace(o.stdout) != strings.TrimSpace(sent) {
		o.err = fmt.Errorf("the image pulled is %q, pushed was %q", o.stdout, sent)
	}
	return o
}

// close ends the process by which rootless Podman keeps its user namespace, and
// deletes what belongs to the ids in that namespace, which nobody else may.
func (p podman) close() {
	if os.Geteuid() == 0 {
		return
	}
	cleanup := exec.Command("podman", "unshare", "rm", "-rf", p.path("storage"), p.home(".local"))
	cleanup.Dir, cleanup.Env = p.dir, p.env
	_ = cleanup.Run()
	content, err := os.ReadFile(p.path("run", "libpod", "tmp", "pause.pid"))
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(content))); err == nil && pid > 1 {
		if process, err := os.FindProcess(pid); err == nil {
			_ = process.Kill()
		}
	}
}
