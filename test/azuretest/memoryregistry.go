package azuretest

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// memoryRegistry is an in-memory registry (OCI distribution specification). It checks no tokens.
type memoryRegistry struct {
	mu           sync.Mutex
	repositories map[string]*repository
	uploads      map[string]*upload
}

type repository struct {
	blobs     map[string][]byte // by digest
	manifests map[string]manifest
	tags      map[string]string // tag to digest
}

type manifest struct {
	mediaType string
	content   []byte
}

func newMemoryRegistry() *memoryRegistry {
	return &memoryRegistry{repositories: map[string]*repository{}, uploads: map[string]*upload{}}
}

// repository returns a repository, which it creates if needed; mu is held.
func (m *memoryRegistry) repository(name string) *repository {
	repo := m.repositories[name]
	if repo == nil {
		repo = &repository{blobs: map[string][]byte{}, manifests: map[string]manifest{}, tags: map[string]string{}}
		m.repositories[name] = repo
	}
	return repo
}

func (m *memoryRegistry) serve(w http.ResponseWriter, req *http.Request, t target) {
	switch t.kind {
	case "":
		writeJSON(w, http.StatusOK, struct{}{})
	case "catalog":
		m.catalog(w, req)
	case "tags":
		m.tagList(w, req, t)
	case "manifests":
		m.serveManifest(w, req, t)
	case "blobs":
		m.serveBlob(w, req, t)
	case "uploads":
		m.serveUpload(w, req, t)
	default:
		http.NotFound(w, req)
	}
}

// catalog lists the repositories that have a manifest.
func (m *memoryRegistry) catalog(w http.ResponseWriter, req *http.Request) {
	m.mu.Lock()
	var names []string
	for name, repo := range m.repositories {
		if len(repo.manifests) > 0 {
			names = append(names, name)
		}
	}
	m.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"repositories": page(w, req, names)})
}

func (m *memoryRegistry) tagList(w http.ResponseWriter, req *http.Request, t target) {
	m.mu.Lock()
	repo := m.repositories[t.repository]
	var tags []string
	if repo != nil {
		tags = slices.Collect(maps.Keys(repo.tags))
	}
	m.mu.Unlock()
	if repo == nil || len(repo.manifests) == 0 {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository \""+t.repository+"\" is not found", nil)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"name": t.repository, "tags": page(w, req, tags)})
}

// page sorts a list, returns the part that n and last select, and links to the next one.
func page(w http.ResponseWriter, req *http.Request, all []string) []string {
	slices.Sort(all)
	query := req.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(all, last)
		if found {
			i++
		}
		all = all[i:]
	}
	if n, err := strconv.Atoi(query.Get("n")); err == nil && n > 0 && n < len(all) {
		all = all[:n]
		next := url.Values{"n": {query.Get("n")}, "last": {all[n-1]}}
		w.Header().Set("Link", "<"+req.URL.Path+"?"+next.Encode()+`>; rel="next"`)
	}
	if all == nil {
		all = []string{} // clients expect a list, not null
	}
	return all
}

// isDigest reports whether a reference is a digest. Tags can't contain a colon.
func isDigest(reference string) bool { return strings.Contains(reference, ":") }

// digestOf returns the digest of content, with the algorithm of the digest like, by default sha256.
func digestOf(content []byte, like string) string {
	if strings.HasPrefix(like, "sha512:") {
		sum := sha512.Sum512(content)
		return "sha512:" + hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
