import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { DeliveryError } from '../errors.ts';
import { invalidConnection } from './invalidConnection.ts';

const certificates = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const privateKey = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/;

function keyOf(connectionId: string, pem: string): { text: string; key: KeyObject } {
  const [text, kind = ''] = privateKey.exec(pem) ?? [];
  if (text === undefined) {
    throw invalidConnection(
      connectionId,
      'holds no PEM with both the certificate and its private key',
      'Paste the whole PEM file (BEGIN CERTIFICATE and BEGIN PRIVATE KEY) into the connection.',
    );
  }
  if (kind.includes('ENCRYPTED') || /Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw invalidConnection(
      connectionId,
      'holds an encrypted private key, and a connection has no place for its password',
      'Decrypt it (openssl pkey -in key.pem -out plain.pem) and paste certificate and key; the connection keeps them as a secret.',
    );
  }
  try {
    return { text, key: createPrivateKey(text) };
  } catch (cause) {
    const remedy = 'Paste the whole PEM file, its line ends included, into the connection.';
    throw invalidConnection(connectionId, 'holds a private key that cannot be read', remedy, cause);
  }
}

function certificatesOf(connectionId: string, pem: string): { text: string; parsed: X509Certificate }[] {
  try {
    return (pem.match(certificates) ?? []).map((text) => ({ text, parsed: new X509Certificate(text) }));
  } catch (cause) {
    const remedy = 'Paste the whole PEM file, its line ends included, into the connection.';
    throw invalidConnection(connectionId, 'holds a certificate that cannot be read', remedy, cause);
  }
}

function checkEnd(connectionId: string, { validTo }: X509Certificate): void {
  const until = new Date(validTo);
  if (until > new Date()) return;
  throw new DeliveryError({
    code: 'IDENTITY_CERTIFICATE_EXPIRED',
    side: 'identity',
    message: `The certificate of service connection '${connectionId}' expired at ${until.toISOString()}.`,
    remedy:
      "Make a new one, append it to the application (az ad app credential reset --append --cert), and put it into the connection; check the agent's clock too.",
  });
}

/**
 * A service principal's PEM with its own certificate first, whatever the order in which the chain was pasted: the
 * sign-in names the first one. Throws SERVICE_CONNECTION_INVALID or IDENTITY_CERTIFICATE_EXPIRED.
 */
export function applicationPem(connectionId: string, pem: string): string {
  const { text, key } = keyOf(connectionId, pem);
  const all = certificatesOf(connectionId, pem);
  const own = all.find(({ parsed }) => parsed.checkPrivateKey(key));
  if (own === undefined) {
    throw invalidConnection(
      connectionId,
      all.length === 0
        ? 'holds no PEM with both the certificate and its private key'
        : 'holds a certificate and the private key of another',
      'Paste the whole PEM file (BEGIN CERTIFICATE and BEGIN PRIVATE KEY) into the connection.',
    );
  }
  checkEnd(connectionId, own.parsed);
  const chain = all.filter((one) => one !== own).map((one) => one.text);
  return [text, own.text, ...chain, ''].join('\n');
}
