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

// A client talks to the registry and runs the helper.
type client interface {
	name() string
	login(secret string) outcome
	push() outcome
	pull() outcome // fails if the image is not the one that was pushed
	logout() outcome
	close()
}

// chooseClient returns the client of that name, or for "" a real client if one is installed. Real clients trust the
// fake Azure through SSL_CERT_FILE, which Go programs read on Linux only (and BSD). Docker's daemon would need its own
// configuration.
func (d *demo) chooseClient(name string) (client, error) {
	real := map[string]func(*demo) (client, error){"skopeo": newSkopeo, "podman": newPodman}
	if found, ok := real[name]; ok {
		return found(d)
	}
	if name != "" && name != "built-in" {
		return nil, fmt.Errorf("unknown client %q: must be skopeo, podman or built-in", name)
	}
	for _, candidate := range []string{"skopeo", "podman"} {
		if name != "" || runtime.GOOS != "linux" {
			break
		}
		if c, err := real[candidate](d); err == nil {
			return c, nil
		}
	}
	return &builtin{demo: d}, nil
}

// A tool is a client that is another program. Skopeo and Podman have the same login and logout.
type tool struct {
	*demo
	command string
}

func (t tool) name() string { return t.command }
func (t tool) close()       {}

// do runs a command line, which has no quotes.
func (t tool) do(stdin, line string) outcome {
	return t.exec(stdin, t.command+" "+line, t.command, strings.Fields(line)...)
}

func (t tool) login(secret string) outcome {
	return t.do(secret, "login -u "+clientID+" --password-stdin "+host)
}

func (t tool) logout() outcome { return t.do("", "logout "+host) }

// skopeo copies between an OCI layout and the registry, without storage or privileges.
type skopeo struct{ tool }

func newSkopeo(d *demo) (client, error) {
	_, err := exec.LookPath("skopeo")
	return skopeo{tool{d, "skopeo"}}, err
}

func (k skopeo) push() outcome { return k.do("", "copy oci:image:1 docker://"+image) }

// pull compares manifests, because Skopeo copies compressed layers unchanged.
func (k skopeo) pull() outcome {
	o := k.do("", "copy docker://"+image+" oci:pulled:1")
	if o.err != nil {
		return o
	}
	pushed, err := readIndex(k.path("image"))
	pulled, err2 := readIndex(k.path("pulled"))
	o.err = errors.Join(err, err2)
	if pushed != pulled {
		o.err = fmt.Errorf("pushed %s, pulled %s", pushed, pulled)
	}
	return o
}

// podman stores images, here in the demo's directory.
type podman struct{ tool }

// newPodman fails if Podman doesn't work: without root it needs user namespaces and a range of user IDs, which
// containers often lack.
func newPodman(d *demo) (client, error) {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, err
	}
	storage := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n",
		d.path("storage"), d.path("run", "storage"))
	if err := os.WriteFile(d.path("storage.conf"), []byte(storage), 0o600); err != nil {
		return nil, err
	}
	d.env = append(d.env, "CONTAINERS_STORAGE_CONF="+d.path("storage.conf"))
	p := podman{tool{d, "podman"}}
	if _, errs, err := d.runQuietly("", "podman", "import", "image/layer.tar.gz", image); err != nil {
		p.close()
		return nil, fmt.Errorf("podman doesn't work here: %s", strings.TrimSpace(errs))
	}
	return p, nil
}

func (p podman) push() outcome { return p.do("", "push "+image) }

// pull deletes the image first, because Podman would fetch nothing otherwise. It compares image IDs: Podman compresses
// layers again, which changes digests.
func (p podman) pull() outcome {
	pushed, _, err := p.runQuietly("", "podman", "image", "inspect", "--format={{.Id}}", image)
	if err != nil {
		return outcome{err: err}
	}
	if _, _, err := p.runQuietly("", "podman", "rmi", image); err != nil {
		return outcome{err: err}
	}
	o := p.do("", "pull "+image)
	if o.err == nil && strings.TrimSpace(o.stdout) != strings.TrimSpace(pushed) {
		o.err = fmt.Errorf("pushed %q, pulled %q", pushed, o.stdout)
	}
	return o
}

// close deletes files of user IDs in rootless Podman's namespace, and ends the process that keeps that namespace open.
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
