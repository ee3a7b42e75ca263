module gateway

go 1.26

// Not linked: its custom resource definitions are installed in the test cluster, checked by go.sum.
require sigs.k8s.io/gateway-api v1.6.3
