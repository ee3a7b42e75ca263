// An OCI registry in memory: go-containerregistry's, which has the referrers API. The header by which a registry
// says so (distribution-spec 1.1, "Pushing Manifests with Subject") is the one thing that it lacks.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
)

func withSubjectHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPut && strings.Contains(request.URL.Path, "/manifests/") {
			content, err := io.ReadAll(request.Body)
			if err != nil {
				http.Error(answer, err.Error(), http.StatusBadRequest)
				return
			}
			var manifest struct {
				Subject *struct{ Digest string }
			}
			if json.Unmarshal(content, &manifest) == nil && manifest.Subject != nil {
				answer.Header().Set("OCI-Subject", manifest.Subject.Digest)
			}
			request.Body = io.NopCloser(bytes.NewReader(content))
		}
		next.ServeHTTP(answer, request)
	})
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.WriteString(listener.Addr().String() + "\n"); err != nil {
		log.Fatal(err)
	}
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	log.Fatal(http.Serve(listener, withSubjectHeader(registry.New(quiet, registry.WithReferrersSupport(true)))))
}
