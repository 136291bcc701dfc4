package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// builtin is a client for where no other is installed: it does over HTTP what
// docker login, push and pull do, and runs the helper as Docker does.
type builtin struct {
	*stage
	transport http.RoundTripper
}

func (b *builtin) name() string { return "built-in" }
func (b *builtin) close()       {}

// docker shows the command that is played.
func (b *builtin) docker(command string, do func() (said string, err error)) outcome {
	return b.act("docker "+command+"   (played by the built-in client)", func() (string, string, error) {
		said, err := do()
		return said, "", err
	})
}

// login proves that the registry accepts the secret, then stores it.
func (b *builtin) login(secret string) outcome {
	return b.docker("login -u "+clientID+" --password-stdin "+host, func() (string, error) {
		if _, err := b.accessToken(clientID, secret, ""); err != nil {
			return "", err
		}
		request := encode(map[string]string{"ServerURL": host, "Username": clientID, "Secret": secret})
		_, err := b.run(string(request)+"\n", "store")
		return "Login Succeeded", err
	})
}

// logout needs no registry: Docker only asks the helper to forget.
func (b *builtin) logout() outcome {
	return b.docker("logout "+host, func() (string, error) {
		_, err := b.run(host, "erase")
		return "Removing login credentials for " + host, err
	})
}

// push sends blobs before the manifest that names them, or the registry would
// refuse it.
func (b *builtin) push() outcome {
	return b.docker("push "+image, func() (string, error) {
		bearer, err := b.signIn("repository:hello:pull,push")
		if err != nil {
			return "", err
		}
		digest, content, m, err := b.image()
		if err != nil {
			return "", err
		}
		for _, d := range append(m.Layers, m.Config) {
			if err := b.upload(bearer, d); err != nil {
				return "", fmt.Errorf("pushing %s: %w", d.Digest, err)
			}
		}
		_, err = b.call(bearer, http.MethodPut, "/v2/hello/manifests/1", manifestType, content)
		return "1: digest: " + digest, err
	})
}

// upload sends a blob: one request to be told where to, one with all of it.
func (b *builtin) upload(bearer string, d descriptor) error {
	content, err := os.ReadFile(b.path("image", blobPath(d.Digest)))
	if err != nil {
		return err
	}
	answer, err := b.call(bearer, http.MethodPost, "/v2/hello/blobs/uploads/", "", nil)
	if err != nil {
		return err
	}
	target, err := url.Parse(answer.header.Get("Location"))
	if err != nil {
		return err
	}
	query := target.Query()
	query.Set("digest", d.Digest)
	_, err = b.call(bearer, http.MethodPut, target.Path+"?"+query.Encode(), "application/octet-stream", content)
	return err
}

// pull fetches everything that was pushed and compares digests. It keeps nothing:
// that the very bytes come back is all there is to show.
func (b *builtin) pull() outcome {
	return b.docker("pull "+image, func() (string, error) {
		bearer, err := b.signIn("repository:hello:pull")
		if err != nil {
			return "", err
		}
		digest, _, m, err := b.image()
		if err != nil {
			return "", err
		}
		paths := map[string]string{"/v2/hello/manifests/1": digest}
		for _, d := range append(m.Layers, m.Config) {
			paths["/v2/hello/blobs/"+d.Digest] = d.Digest
		}
		for path, want := range paths {
			answer, err := b.call(bearer, http.MethodGet, path, "", nil)
			if err != nil {
				return "", err
			}
			if got := digestOf(answer.body); got != want {
				return "", fmt.Errorf("%s has the digest %s, pushed was %s", path, got, want)
			}
		}
		return "Digest: " + digest, nil
	})
}

// image reads the manifest to push, both parsed and as the bytes that its digest
// is made of.
func (b *builtin) image() (digest string, content []byte, m manifest, err error) {
	if digest, err = readIndex(b.path("image")); err != nil {
		return "", nil, m, err
	}
	if content, err = os.ReadFile(b.path("image", blobPath(digest))); err != nil {
		return "", nil, m, err
	}
	return digest, content, m, json.Unmarshal(content, &m)
}

// signIn asks the helper for a credential and swaps it for an access token.
func (b *builtin) signIn(scope string) (bearer string, err error) {
	out, err := b.run(host, "get")
	if err != nil {
		return "", err
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return "", err
	}
	return b.accessToken(answer.Username, answer.Secret, scope)
}

// run runs the helper. Where it fails, its sentence is on standard output.
func (b *builtin) run(stdin, action string) (string, error) {
	out, _, err := b.quietly(stdin, b.helper, action)
	if err != nil {
		err = fmt.Errorf("error %s credentials - err: %w, out: `%s`", action, err, strings.TrimSpace(out))
	}
	return out, err
}

// accessToken is the token flow of the distribution specification with Basic.
func (b *builtin) accessToken(user, secret, scope string) (string, error) {
	query := url.Values{"service": {host}, "account": {user}}
	if scope != "" {
		query.Set("scope", scope)
	}
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, "https://"+host+"/oauth2/token?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(user, secret)
	answer, err := b.send(req)
	if err != nil {
		return "", err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	err = json.Unmarshal(answer.body, &token)
	if err == nil && token.AccessToken == "" {
		err = errors.New("the registry answered without an access token")
	}
	return token.AccessToken, err
}

// An answer is a response whose body was read.
type answer struct {
	header http.Header
	body   []byte
}

// call is a request to the registry's API with an access token.
func (b *builtin) call(bearer, method, path, contentType string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(b.ctx, method, "https://"+host+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", contentType)
	return b.send(req)
}

// send refuses whatever isn't a success, redirects included: the sandbox has none,
// and following one with a credential is what no client should do unasked.
func (b *builtin) send(req *http.Request) (answer, error) {
	if b.transport == nil {
		b.transport = b.cloud.Transport()
	}
	resp, err := b.transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s", req.Method, req.URL.Path, resp.Status)
	}
	return answer{resp.Header, body}, err
}
