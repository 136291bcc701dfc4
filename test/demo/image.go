package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A descriptor refers to a blob (OCI image specification).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// A manifest is an image for one platform; an index lists manifests.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	Manifests     []descriptor `json:"manifests"`
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// writeImage writes a small image, one layer with one file, as an OCI layout with the tag 1, and its layer as
// layer.tar.gz. The layer is compressed, because otherwise clients compress it and the pulled image would differ.
func writeImage(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700); err != nil {
		return err
	}
	files, err := archive("hello.txt", "hello from "+host+"\n")
	if err != nil {
		return err
	}
	layer, err := compress(files)
	if err != nil {
		return err
	}
	w := layout{dir: dir}
	layerBlob := w.blob(layerType, layer)
	config := w.blob(configType, encode(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(files)}},
	}))
	manifestBlob := w.blob(manifestType, encode(manifest{2, manifestType, config, []descriptor{layerBlob}}))
	manifestBlob.Annotations = map[string]string{"org.opencontainers.image.ref.name": "1"}
	w.file("index.json", encode(index{2, []descriptor{manifestBlob}}))
	w.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	w.file("layer.tar.gz", layer)
	return w.err
}

// archive returns a tar archive of one file, without a time, so that the image is the same in every run.
func archive(name, content string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

func compress(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// A layout writes files until one fails.
type layout struct {
	dir string
	err error
}

// blob writes content under its digest.
func (w *layout) blob(mediaType string, content []byte) descriptor {
	digest := digestOf(content)
	w.file(blobPath(digest), content)
	return descriptor{MediaType: mediaType, Digest: digest, Size: len(content)}
}

func (w *layout) file(name string, content []byte) {
	w.err = errors.Join(w.err, os.WriteFile(filepath.Join(w.dir, name), content, 0o600))
}

func blobPath(digest string) string {
	return filepath.Join("blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// readIndex returns the digest of the only manifest in a layout.
func readIndex(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return "", err
	}
	var list index
	if err := json.Unmarshal(content, &list); err != nil {
		return "", err
	}
	if len(list.Manifests) != 1 {
		return "", errors.New("the OCI layout must have one image")
	}
	return list.Manifests[0].Digest, nil
}

// encode can't fail, because v has strings and numbers only.
func encode(v any) []byte {
	content, _ := json.Marshal(v)
	return content
}
