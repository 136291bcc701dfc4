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

// builtin is the client if no other is installed. It sends the requests of docker login, push and pull, and runs the
// helper as Docker does.
type builtin struct {
	*demo
	transport http.RoundTripper
}

func (b *builtin) name() string { return "built-in" }
func (b *builtin) close()       {}

// docker shows a run as the docker command that does the same.
func (b *builtin) docker(command string, run func() (stdout string, err error)) outcome {
	return b.show("docker "+command+"   (by the built-in client)", func() (string, string, error) {
		stdout, err := run()
		return stdout, "", err
	})
}

// login checks the secret with the registry, then stores it.
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

func (b *builtin) logout() outcome {
	return b.docker("logout "+host, func() (string, error) {
		_, err := b.run(host, "erase")
		return "Removing login credentials for " + host, err
	})
}

// push sends the blobs before the manifest: the registry refuses a manifest whose blobs it lacks.
func (b *builtin) push() outcome {
	return b.docker("push "+image, func() (string, error) {
		bearer, err := b.accessTokenFor("repository:hello:pull,push")
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

// upload sends a blob with two requests: the first returns the address for the second.
func (b *builtin) upload(bearer string, d descriptor) error {
	content, err := os.ReadFile(b.path("image", blobPath(d.Digest)))
	if err != nil {
		return err
	}
	resp, err := b.call(bearer, http.MethodPost, "/v2/hello/blobs/uploads/", "", nil)
	if err != nil {
		return err
	}
	target, err := url.Parse(resp.header.Get("Location"))
	if err != nil {
		return err
	}
	query := target.Query()
	query.Set("digest", d.Digest)
	_, err = b.call(bearer, http.MethodPut, target.Path+"?"+query.Encode(), "application/octet-stream", content)
	return err
}

// pull fetches the manifest and all blobs, and compares digests.
func (b *builtin) pull() outcome {
	return b.docker("pull "+image, func() (string, error) {
		bearer, err := b.accessTokenFor("repository:hello:pull")
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
			resp, err := b.call(bearer, http.MethodGet, path, "", nil)
			if err != nil {
				return "", err
			}
			if got := digestOf(resp.body); got != want {
				return "", fmt.Errorf("%s: pushed %s, pulled %s", path, want, got)
			}
		}
		return "Digest: " + digest, nil
	})
}

// image reads the manifest to push.
func (b *builtin) image() (digest string, content []byte, m manifest, err error) {
	if digest, err = readIndex(b.path("image")); err != nil {
		return "", nil, m, err
	}
	if content, err = os.ReadFile(b.path("image", blobPath(digest))); err != nil {
		return "", nil, m, err
	}
	return digest, content, m, json.Unmarshal(content, &m)
}

// accessTokenFor gets an access token for the helper's credential.
func (b *builtin) accessTokenFor(scope string) (bearer string, err error) {
	out, err := b.run(host, "get")
	if err != nil {
		return "", err
	}
	var credential struct{ Username, Secret string }
	if err := json.Unmarshal([]byte(out), &credential); err != nil {
		return "", err
	}
	return b.accessToken(credential.Username, credential.Secret, scope)
}

// run runs the helper, whose error is on standard output.
func (b *builtin) run(stdin, action string) (string, error) {
	out, _, err := b.runQuietly(stdin, b.helper, action)
	if err != nil {
		err = fmt.Errorf("error %s credentials - err: %w, out: `%s`", action, err, strings.TrimSpace(out))
	}
	return out, err
}

// accessToken gets an access token with Basic authentication (distribution specification).
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
	resp, err := b.send(req)
	if err != nil {
		return "", err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	err = json.Unmarshal(resp.body, &token)
	if err == nil && token.AccessToken == "" {
		err = errors.New("the registry returned no access token")
	}
	return token.AccessToken, err
}

// A response has its whole body.
type response struct {
	header http.Header
	body   []byte
}

// call sends a request with an access token.
func (b *builtin) call(bearer, method, path, contentType string, body []byte) (response, error) {
	req, err := http.NewRequestWithContext(b.ctx, method, "https://"+host+path, bytes.NewReader(body))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", contentType)
	return b.send(req)
}

// send fails unless the response is a success. It follows no redirects, because the request has a credential.
func (b *builtin) send(req *http.Request) (response, error) {
	if b.transport == nil {
		b.transport = b.cloud.Transport()
	}
	resp, err := b.transport.RoundTrip(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s", req.Method, req.URL.Path, resp.Status)
	}
	return response{resp.Header, body}, err
}
