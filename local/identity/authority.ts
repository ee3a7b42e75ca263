import { generate } from 'selfsigned';

/** A server's certificate and key, PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority that lives as long as its process. */
export interface CertificateAuthority {
  /** PEM, to be trusted by clients. */
  readonly certificate: string;
  /** A certificate for the loopback address and these host names, for a server or its client. */
  issue(...names: readonly string[]): Promise<ServerCertificate>;
  /** A certificate by which a client shows this name; it may have ended already. */
  issueClient(name: string, validUntil?: Date): Promise<ServerCertificate>;
}

const day = 24 * 3600_000;

function validity(): { notBeforeDate: Date; notAfterDate: Date } {
  return { notBeforeDate: new Date(Date.now() - day), notAfterDate: new Date(Date.now() + 30 * day) };
}

/** Makes an authority with a new key. Those that one client trusts need different names. */
export async function createAuthority(
  name = 'model-delivery local authority',
): Promise<CertificateAuthority> {
  const root = await generate([{ name: 'commonName', value: name }], {
    algorithm: 'sha256',
    keyType: 'ec',
    ...validity(),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    certificate: root.cert,
    async issue(...names) {
      const made = await generate([{ name: 'commonName', value: names[0] ?? 'localhost' }], {
        algorithm: 'sha256',
        keyType: 'ec',
        ...validity(),
        ca: { key: root.private, cert: root.cert },
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'keyUsage', digitalSignature: true, critical: true },
          { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
          {
            name: 'subjectAltName',
            altNames: [
              { type: 7, ip: '127.0.0.1' },
              ...['localhost', ...names].map((value) => ({ type: 2 as const, value })),
            ],
          },
        ],
      });
      return { cert: made.cert, key: made.private };
    },
    async issueClient(name, validUntil) {
      const made = await generate([{ name: 'commonName', value: name }], {
        algorithm: 'sha256',
        keyType: 'ec',
        ...validity(),
        ...(validUntil === undefined ? {} : { notAfterDate: validUntil }),
        ca: { key: root.private, cert: root.cert },
        extensions: [
          { name: 'keyUsage', digitalSignature: true, critical: true },
          { name: 'extKeyUsage', clientAuth: true },
        ],
      });
      return { cert: made.cert, key: made.private };
    },
  };
}

/** What an application registers: a self-signed certificate with its RSA key, as one PEM text. */
export async function applicationCertificate(
  validUntil = validity().notAfterDate,
): Promise<{ certificate: string; pem: string }> {
  const made = await generate([{ name: 'commonName', value: 'model-delivery pipeline' }], {
    algorithm: 'sha256',
    keySize: 2048,
    ...validity(),
    notAfterDate: validUntil,
  });
  return { certificate: made.cert, pem: `${made.private}\n${made.cert}` };
}
