package azuretest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxManifest is distribution's limit for one manifest.
const maxManifest = 4 << 20

// memoryRegistry is the part of a registry (OCI distribution specification) that the push and the pull of an image
// need. It checks no tokens.
type memoryRegistry struct {
	mu      sync.Mutex
	objects map[string]object // by repository, kind and digest or tag, as in the path
	uploads map[string][]byte // unfinished blobs, by the upload's ID
}

// An object is a blob or a manifest.
type object struct {
	mediaType, digest string
	content           []byte
}

func newMemoryRegistry() *memoryRegistry {
	return &memoryRegistry{objects: map[string]object{}, uploads: map[string][]byte{}}
}

func objectKey(repository, kind, reference string) string {
	return repository + "/" + kind + "/" + reference
}

func (m *memoryRegistry) serve(w http.ResponseWriter, req *http.Request, t target) {
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead
	writes := req.Method == http.MethodPost || req.Method == http.MethodPatch || req.Method == http.MethodPut
	switch {
	case t.kind == "":
		writeJSON(w, http.StatusOK, struct{}{})
	case t.kind == "uploads" && writes:
		m.serveUpload(w, req, t)
	case t.kind == "manifests" && req.Method == http.MethodPut:
		m.putManifest(w, req, t)
	case (t.kind == "manifests" || t.kind == "blobs") && reads:
		m.serveObject(w, req, t)
	default:
		http.NotFound(w, req)
	}
}

// serveObject sends a blob itself, where ACR would redirect to blob storage. Accept headers are ignored: clients check
// the media type of the response.
func (m *memoryRegistry) serveObject(w http.ResponseWriter, req *http.Request, t target) {
	m.mu.Lock()
	found, ok := m.objects[objectKey(t.repository, t.kind, t.reference)]
	m.mu.Unlock()
	if !ok {
		code := map[string]string{"blobs": "BLOB_UNKNOWN", "manifests": "MANIFEST_UNKNOWN"}[t.kind]
		refuse(w, http.StatusNotFound, code, "\""+t.reference+"\" is not found", nil)
		return
	}
	w.Header().Set("Content-Type", found.mediaType)
	w.Header().Set("Docker-Content-Digest", found.digest)
	w.Header().Set("Etag", `"`+found.digest+`"`)
	// ServeContent supports ranges, with which clients resume.
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(found.content))
}

// putManifest stores the manifest of an image if its digest is right and its blobs exist, or an index if its manifests
// exist.
func (m *memoryRegistry) putManifest(w http.ResponseWriter, req *http.Request, t target) {
	type descriptor struct{ Digest string }
	var image struct { // media types are not checked
		MediaType string
		Config    descriptor
		Layers    []descriptor
		Manifests []descriptor // of an index
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxManifest))
	if err != nil || json.Unmarshal(content, &image) != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid", nil)
		return
	}
	digest := digestOf(content)
	if isDigest := strings.Contains(t.reference, ":"); isDigest && digest != t.reference {
		refuseDigest(w)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kind, parts := "blobs", append(image.Layers, image.Config)
	if image.Manifests != nil {
		kind, parts = "manifests", image.Manifests
	}
	for _, part := range parts {
		if _, ok := m.objects[objectKey(t.repository, kind, part.Digest)]; !ok {
			refuse(w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry",
				map[string]string{"digest": part.Digest})
			return
		}
	}
	stored := object{cmp.Or(req.Header.Get("Content-Type"), image.MediaType), digest, content}
	for _, reference := range []string{digest, t.reference} {
		m.objects[objectKey(t.repository, "manifests", reference)] = stored
	}
	sendCreated(w, "/v2/"+t.repository+"/manifests/"+digest, digest)
}

// serveUpload is the upload protocol: POST starts, PATCH appends, PUT completes, and each may have content. A
// cross-repository mount starts an ordinary upload, which the specification allows. Content that ends early is
// discarded, so that the client can send it again.
func (m *memoryRegistry) serveUpload(w http.ResponseWriter, req *http.Request, t target) {
	chunk, err := io.ReadAll(req.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	content, known := m.uploads[t.reference]
	if req.Method == http.MethodPost && t.reference == "" {
		t.reference, known = newGUID(), true
	}
	if err != nil || !known {
		refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", nil)
		return
	}
	content = append(content, chunk...)
	m.uploads[t.reference] = content
	digest := req.URL.Query().Get("digest")
	switch {
	case digest == "" && req.Method != http.MethodPut:
		sendUpload(w, t, len(content))
	case digest != digestOf(content):
		refuseDigest(w)
	default:
		delete(m.uploads, t.reference)
		m.objects[objectKey(t.repository, "blobs", digest)] = object{"application/octet-stream", digest, content}
		sendCreated(w, "/v2/"+t.repository+"/blobs/"+digest, digest)
	}
}

// sendUpload sends the Location of the next request. Like ACR's, it has no host, and a query that the client must keep.
func sendUpload(w http.ResponseWriter, t target, size int) {
	location := "/v2/" + t.repository + "/blobs/uploads/" + t.reference
	w.Header().Set("Location", location+"?_nouploadcache=false&_state="+t.reference)
	w.Header().Set("Docker-Upload-Uuid", t.reference)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	w.WriteHeader(http.StatusAccepted)
}

func sendCreated(w http.ResponseWriter, location, digest string) {
	w.Header().Set("Location", location)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

func refuseDigest(w http.ResponseWriter) {
	refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content", nil)
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
