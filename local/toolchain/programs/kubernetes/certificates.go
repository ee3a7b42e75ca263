package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const lifetime = 10 * 365 * 24 * time.Hour

// An identity is a certificate with its key, both as PEM.
type identity struct {
	certificate []byte
	key         []byte
}

// The authority signs everything of one cluster; its key is never written.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writeCertificates makes the cluster's keys and the kubeconfig of each part that talks to the API server: all that
// https://kubernetes.io/docs/setup/best-practices/certificates/ asks for with one authority.
func writeCertificates(arguments []string) error {
	flags := flag.NewFlagSet("certificates", flag.ExitOnError)
	folder := flags.String("folder", "", "where the files go")
	address := flags.String("address", "", "address of the node, which the API server answers on")
	server := flags.String("server", "", "URL of the API server")
	node := flags.String("node", "", "name of the node")
	service := flags.String("service-address", "", "address of the service `kubernetes` inside the cluster")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	serving := x509.Certificate{
		Subject:     pkix.Name{CommonName: *node},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{*node, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.ParseIP(*address), net.ParseIP(*service), net.IPv4(127, 0, 0, 1)},
	}
	if err := ca.write(*folder, "server", serving); err != nil {
		return err
	}
	if err := ca.write(*folder, "apiserver-to-kubelet", client("apiserver-to-kubelet", "system:masters")); err != nil {
		return err
	}
	if err := writeServiceAccountKey(*folder); err != nil {
		return err
	}
	users := map[string]x509.Certificate{
		"admin":                   client("model-delivery-admin", "system:masters"),
		"kube-controller-manager": client("system:kube-controller-manager", "system:masters"),
		"kube-scheduler":          client("system:kube-scheduler"),
		"kube-proxy":              client("system:kube-proxy"),
		"kubelet":                 client("system:node:"+*node, "system:nodes"),
	}
	for name, user := range users {
		if err := ca.writeKubeconfig(filepath.Join(*folder, name+".kubeconfig"), *server, user); err != nil {
			return err
		}
	}
	// Last, so that its presence says that everything else is there.
	return os.WriteFile(filepath.Join(*folder, "ca.crt"), encode(ca.certificate), 0o644)
}

func client(name string, groups ...string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func encode(certificate *x509.Certificate) []byte {
	pem, err := cert.EncodeCertificates(certificate)
	if err != nil {
		panic(err) // Encoding a parsed certificate cannot fail.
	}
	return pem
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	config := cert.Config{CommonName: "model-delivery-authority", NotBefore: time.Now().Add(-time.Hour)}
	certificate, err := cert.NewSelfSignedCACert(config, key)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, nil
}

func (ca *authority) sign(template x509.Certificate) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(lifetime)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyPem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	return &identity{encode(certificate), keyPem}, nil
}

func (ca *authority) write(folder, name string, template x509.Certificate) error {
	signed, err := ca.sign(template)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, name+".crt"), signed.certificate, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".key"), signed.key, 0o600)
}

func (ca *authority) writeKubeconfig(file, server string, user x509.Certificate) error {
	signed, err := ca.sign(user)
	if err != nil {
		return err
	}
	const name = "model-delivery"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: encode(ca.certificate)}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: signed.certificate,
		ClientKeyData:         signed.key,
	}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: "default"}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, file)
}

func writeServiceAccountKey(folder string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "service-account.key"), pem, 0o600)
}
