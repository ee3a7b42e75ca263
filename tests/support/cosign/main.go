// Verifies an image's signature, or an attestation, by a public key with the code of `cosign verify --key` and
// `cosign verify-attestation --key`. Signatures are offline ones: there is no transparency log to ask.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/cosign/v2/pkg/signature"
)

func main() {
	if os.Args[1] == "generate" {
		generate(os.Args[2])
		return
	}
	what, keyFile, image := os.Args[1], os.Args[2], os.Args[3]
	ctx := context.Background()
	verifier, err := signature.LoadPublicKey(ctx, keyFile)
	if err != nil {
		log.Fatal(err)
	}
	reference, err := name.ParseReference(image, name.Insecure)
	if err != nil {
		log.Fatal(err)
	}
	keychain := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	options := &cosign.CheckOpts{
		RegistryClientOpts: []ociremote.Option{ociremote.WithRemoteOptions(keychain)},
		SigVerifier:        verifier,
		IgnoreTlog:         true,
		IgnoreSCT:          true,
	}
	var found []oci.Signature
	if what == "attestation" {
		options.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
		found, _, err = cosign.VerifyImageAttestations(ctx, reference, options)
	} else {
		options.ClaimVerifier = cosign.SimpleClaimVerifier
		found, _, err = cosign.VerifyImageSignatures(ctx, reference, options)
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, one := range found {
		payload, err := one.Payload()
		if err != nil {
			log.Fatal(err)
		}
		line, err := json.Marshal(string(payload))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(line))
	}
}

// Writes a key pair as `cosign generate-key-pair` does; the password comes from the environment.
func generate(folder string) {
	password := func(bool) ([]byte, error) { return []byte(os.Getenv("COSIGN_PASSWORD")), nil }
	keys, err := cosign.GenerateKeyPair(password)
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range map[string][]byte{"cosign.key": keys.PrivateBytes, "cosign.pub": keys.PublicBytes} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			log.Fatal(err)
		}
	}
}
