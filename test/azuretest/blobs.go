package azuretest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// An upload is an unfinished blob, guarded by memoryRegistry.mu.
type upload struct {
	repository string
	content    []byte
}

// serveBlob sends the blob itself, where ACR would redirect to blob storage.
func (m *memoryRegistry) serveBlob(w http.ResponseWriter, req *http.Request, t target) {
	m.mu.Lock()
	repo := m.repository(t.repository)
	content, ok := repo.blobs[t.reference]
	if ok && req.Method == http.MethodDelete {
		delete(repo.blobs, t.reference)
	}
	m.mu.Unlock()
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry",
			map[string]string{"digest": t.reference})
	case req.Method == http.MethodDelete:
		w.WriteHeader(http.StatusAccepted)
	case req.Method == http.MethodGet || req.Method == http.MethodHead:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Docker-Content-Digest", t.reference)
		w.Header().Set("Etag", `"`+t.reference+`"`)
		// ServeContent supports ranges, with which clients resume.
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(content))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// serveUpload is the upload protocol: POST starts, PATCH appends, PUT completes. A cross-repository mount starts an
// ordinary upload, which the specification allows.
func (m *memoryRegistry) serveUpload(w http.ResponseWriter, req *http.Request, t target) {
	if req.Method == http.MethodPost && t.reference == "" {
		t.reference = newGUID()
		m.mu.Lock()
		m.uploads[t.reference] = &upload{repository: t.repository}
		m.mu.Unlock()
		if req.URL.Query().Get("digest") != "" { // the whole blob in one request
			m.finishUpload(w, req, t)
			return
		}
		m.uploadStatus(w, t, 0, http.StatusAccepted)
		return
	}
	m.mu.Lock()
	u := m.uploads[t.reference]
	known := u != nil && u.repository == t.repository
	var size int
	if known {
		size = len(u.content)
	}
	if known && req.Method == http.MethodDelete {
		delete(m.uploads, t.reference)
	}
	m.mu.Unlock()
	switch {
	case !known:
		refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", nil)
	case req.Method == http.MethodGet:
		m.uploadStatus(w, t, size, http.StatusNoContent)
	case req.Method == http.MethodPatch:
		m.addChunk(w, req, t, size)
	case req.Method == http.MethodPut:
		m.finishUpload(w, req, t)
	case req.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// uploadStatus sends the Location of the next request. Like ACR's, it has no host, and a query that the client must
// keep.
func (m *memoryRegistry) uploadStatus(w http.ResponseWriter, t target, size, status int) {
	location := "/v2/" + t.repository + "/blobs/uploads/" + t.reference
	w.Header().Set("Location", location+"?_nouploadcache=false&_state="+t.reference)
	w.Header().Set("Docker-Upload-Uuid", t.reference)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	w.WriteHeader(status)
}

// addChunk appends a chunk. A Content-Range must start where the upload ends.
func (m *memoryRegistry) addChunk(w http.ResponseWriter, req *http.Request, t target, size int) {
	if header := req.Header.Get("Content-Range"); header != "" {
		var from, to int
		if _, err := fmt.Sscanf(strings.TrimPrefix(header, "bytes "), "%d-%d", &from, &to); err != nil || from != size {
			m.uploadStatus(w, t, size, http.StatusRequestedRangeNotSatisfiable)
			return
		}
	}
	content, ok := m.appendTo(req, t.reference)
	if !ok {
		refuse(w, http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "reading the chunk", nil)
		return
	}
	m.uploadStatus(w, t, len(content), http.StatusAccepted)
}

// appendTo appends a request's body to an upload. A truncated body is discarded, so that the client can send it
// again.
func (m *memoryRegistry) appendTo(req *http.Request, id string) ([]byte, bool) {
	chunk, err := io.ReadAll(req.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.uploads[id]
	if err != nil || u == nil {
		return nil, false
	}
	u.content = append(u.content, chunk...)
	return u.content, true
}

// finishUpload stores the blob if its digest is the one that the client declares.
func (m *memoryRegistry) finishUpload(w http.ResponseWriter, req *http.Request, t target) {
	content, ok := m.appendTo(req, t.reference)
	if !ok {
		refuse(w, http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "reading the last chunk", nil)
		return
	}
	digest := req.URL.Query().Get("digest")
	if digest == "" || digestOf(content, digest) != digest {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content", nil)
		return
	}
	m.mu.Lock()
	delete(m.uploads, t.reference)
	m.repository(t.repository).blobs[digest] = content
	m.mu.Unlock()
	w.Header().Set("Location", "/v2/"+t.repository+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}
