package azuretest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"time"
)

// maxManifest is distribution's limit for one manifest.
const maxManifest = 4 << 20

// serveManifest serves a manifest by tag or digest. Accept headers are ignored: clients check the media type of the
// response.
func (m *memoryRegistry) serveManifest(w http.ResponseWriter, req *http.Request, t target) {
	if req.Method == http.MethodPut {
		m.putManifest(w, req, t)
		return
	}
	m.mu.Lock()
	repo := m.repository(t.repository)
	digest := t.reference
	if !isDigest(digest) {
		digest = repo.tags[t.reference]
	}
	found, ok := repo.manifests[digest]
	if ok && req.Method == http.MethodDelete {
		repo.remove(t.reference)
	}
	m.mu.Unlock()
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest tagged by \""+t.reference+"\" is not found",
			map[string]string{"Tag": t.reference})
	case req.Method == http.MethodDelete:
		w.WriteHeader(http.StatusAccepted)
	case req.Method == http.MethodGet || req.Method == http.MethodHead:
		w.Header().Set("Content-Type", found.mediaType)
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Etag", `"`+digest+`"`)
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(found.content))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// remove deletes a tag, or a manifest with all its tags.
func (repo *repository) remove(reference string) {
	if !isDigest(reference) {
		delete(repo.tags, reference)
		return
	}
	delete(repo.manifests, reference)
	maps.DeleteFunc(repo.tags, func(_, digest string) bool { return digest == reference })
}

// putManifest stores a manifest if its digest is right and its parts exist.
func (m *memoryRegistry) putManifest(w http.ResponseWriter, req *http.Request, t target) {
	content, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxManifest))
	if err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "reading the manifest", nil)
		return
	}
	digest := digestOf(content, t.reference)
	if isDigest(t.reference) && digest != t.reference {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content", nil)
		return
	}
	var parts manifestParts // media types are not checked
	if json.Unmarshal(content, &parts) != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid", nil)
		return
	}
	m.mu.Lock()
	repo := m.repository(t.repository)
	missing := parts.missing(repo)
	if missing == "" {
		mediaType := cmp.Or(req.Header.Get("Content-Type"), parts.MediaType)
		repo.manifests[digest] = manifest{mediaType, content}
		if !isDigest(t.reference) {
			repo.tags[t.reference] = digest
		}
	}
	m.mu.Unlock()
	if missing != "" {
		refuse(w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry",
			map[string]string{"digest": missing})
		return
	}
	w.Header().Set("Location", "/v2/"+t.repository+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// manifestParts are the references in image manifests (config, layers) and indexes (manifests).
type manifestParts struct {
	MediaType string
	Config    *descriptor
	Layers    []descriptor
	Manifests []descriptor
}

type descriptor struct {
	Digest string
	URLs   []string // where else the content is (foreign layers)
}

// missing returns a digest that isn't in the repository, or "".
func (p manifestParts) missing(repo *repository) string {
	blobs := p.Layers
	if p.Config != nil {
		blobs = append(blobs, *p.Config)
	}
	for _, d := range blobs {
		if _, ok := repo.blobs[d.Digest]; !ok && len(d.URLs) == 0 {
			return d.Digest
		}
	}
	for _, d := range p.Manifests {
		if _, ok := repo.manifests[d.Digest]; !ok {
			return d.Digest
		}
	}
	return ""
}
