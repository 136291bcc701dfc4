package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// newBackend returns the distribution registry, in memory and without authorization, which is the cloud's part.
func newBackend() http.Handler {
	config := &configuration.Configuration{Storage: configuration.Storage{
		"inmemory": {}, "delete": {"enabled": true},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	config.Catalog.MaxEntries = 100
	config.HTTP.Secret = "the key that signs the state of uploads"
	return handlers.NewApp(context.Background(), config)
}

// Images have two small layers. dockerImage exists from the start; docker manifest inspect up to 20.10 knows Docker's
// media types only. ociImage is for pushes from an OCI layout.
var (
	dockerImage = sync.OnceValue(func() v1.Image {
		return makeImage(types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerUncompressedLayer)
	})
	ociImage = sync.OnceValue(func() v1.Image {
		return makeImage(types.OCIManifestSchema1, types.OCIConfigJSON, types.OCIUncompressedLayer)
	})
)

func makeImage(manifest, config, layer types.MediaType) v1.Image {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, manifest), config)
	for range 2 {
		l, err := random.Layer(1<<10, layer)
		if err == nil {
			img, err = mutate.AppendLayers(img, l)
		}
		if err != nil {
			panic(err)
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		panic(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	if img, err = mutate.ConfigFile(img, file); err != nil {
		panic(err)
	}
	return img
}

// addImages writes dockerImage directly to a backend, without the cloud.
func addImages(t *testing.T, backend http.Handler, repositories ...string) {
	t.Helper()
	server := httptest.NewServer(backend)
	defer server.Close()
	for _, repository := range repositories {
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://")+"/"+repository, name.Insecure)
		if err == nil {
			err = remote.Write(ref, dockerImage())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// writeLayout writes ociImage as an OCI layout, and its first layer as a tar file for podman import.
func writeLayout(t *testing.T, dir string) {
	t.Helper()
	path, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err == nil {
		tag := map[string]string{"org.opencontainers.image.ref.name": "1"}
		err = path.AppendImage(ociImage(), layout.WithAnnotations(tag))
	}
	if err != nil {
		t.Fatal(err)
	}
	layers, err := ociImage().Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var tar bytes.Buffer
	if _, err := io.Copy(&tar, content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "layer.tar"), tar.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
