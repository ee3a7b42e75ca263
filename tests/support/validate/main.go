// Judges an image in a registry by others' code: the OCI image specification's own JSON schemas, and
// go-containerregistry's `validate`; every byte is read. Then prints each file as crane would export it.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/image-spec/schema"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func checkSchema(mediaType string, content []byte) {
	if err := schema.Validator(mediaType).Validate(bytes.NewReader(content)); err != nil {
		log.Fatalf("%s: %v", mediaType, err)
	}
}

func checkImage(image v1.Image) {
	checkSchema(string(must(image.MediaType())), must(image.RawManifest()))
	checkSchema(specs.MediaTypeImageConfig, must(image.RawConfigFile()))
	// Its complete form takes every layer for gzip (go-containerregistry, pkg/v1/validate/layer.go).
	if err := validate.Image(image, validate.Fast); err != nil {
		log.Fatal(err)
	}
	config := must(image.ConfigFile())
	for index, layer := range must(image.Layers()) {
		checkBytes(must(layer.Digest()), must(layer.Compressed()))
		checkBytes(config.RootFS.DiffIDs[index], must(layer.Uncompressed()))
	}
}

func checkBytes(wanted v1.Hash, content io.ReadCloser) {
	defer content.Close()
	got, _, err := v1.SHA256(content)
	if err != nil || got != wanted {
		log.Fatalf("the bytes of %v are those of %v (%v)", wanted, got, err)
	}
}

func printFiles(image v1.Image) {
	files := tar.NewReader(mutate.Extract(image))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		hash := sha256.New()
		must(io.Copy(hash, files))
		fmt.Printf("%x %o %c %s\n", hash.Sum(nil), header.Mode, header.Typeflag, header.Name)
	}
}

func main() {
	reference := must(name.ParseReference(os.Args[1], name.Insecure))
	found := must(remote.Get(reference, remote.WithAuthFromKeychain(authn.DefaultKeychain)))
	if !found.MediaType.IsIndex() {
		image := must(found.Image())
		checkImage(image)
		printFiles(image)
		return
	}
	index := must(found.ImageIndex())
	checkSchema(string(found.MediaType), found.Manifest)
	if err := validate.Index(index, validate.Fast); err != nil {
		log.Fatal(err)
	}
	for _, entry := range must(index.IndexManifest()).Manifests {
		image := must(index.Image(entry.Digest))
		checkImage(image)
		printFiles(image)
	}
}
