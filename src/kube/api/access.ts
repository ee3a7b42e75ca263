/** How to reach and prove oneself to one API server: what every kind of connection comes down to. */
export interface ClusterAccess {
  /** Where this access came from, for error messages, for example `context 'aks-prod' of the kubeconfig`. */
  readonly origin: string;
  /** The API server's URL. */
  readonly server: string;
  /** PEM certificates that sign the server's; the system's own authorities when absent. */
  readonly certificateAuthority?: string;
  /** True only when the connection itself says that the server's certificate need not be verified. */
  readonly skipTlsVerify: boolean;
  /** Name to expect in the server's certificate instead of the URL's host. */
  readonly tlsServerName?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  /** Bearer token, asked for at every request: tokens in files are rotated. */
  readonly token?: () => Promise<string>;
  readonly proxyUrl?: string;
  /** The namespace that the connection prefers. */
  readonly namespace?: string;
}
