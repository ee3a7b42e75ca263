/** Where each local service answers: what the demo, the tests and the service-connections file are made from. */
export interface StorageEndpoint {
  /** For example `http://127.0.0.1:10000/models1`: path-style, as emulators use it. */
  readonly blobEndpoint: string;
  readonly account: string;
  readonly accountKey: string;
}

export interface S3Endpoint {
  /** For example `http://127.0.0.1:7070`. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface MlflowEndpoint {
  /** For example `http://127.0.0.1:5000`. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

export interface RegistryEndpoint {
  /** With scheme, for example `http://198.18.0.1:5000`. */
  readonly url: string;
  /** The same without scheme: the first part of every image reference. */
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

export interface DockerEndpoint {
  /** For example `unix:///…/docker.sock`. */
  readonly socket: string;
}

export interface BuildkitEndpoint {
  /** For example `unix:///…/buildkitd.sock`. */
  readonly address: string;
  /** Path of buildctl. */
  readonly client: string;
  /** The same daemon by TLS, which admits clients of its own authority alone; absent for one of the user's. */
  readonly tls?: {
    readonly address: string;
    /** Folder of the client's ca.pem, cert.pem and key.pem. */
    readonly certificates: string;
  };
}

export interface ClusterEndpoint {
  readonly kubeconfig: string;
  /** The Kubernetes that serves: `built` by local/cluster, or the user's own. */
  readonly kind: 'built' | 'existing' | 'kind' | 'k3d' | 'minikube';
}
