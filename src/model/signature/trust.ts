import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DeliveryError } from '../../errors.ts';

/** Whose signatures count. */
export type Trust =
  | { readonly kind: 'key'; readonly key: KeyObject }
  | { readonly kind: 'authorities'; readonly certificates: readonly X509Certificate[] };

/** Where the trusted key or the authorities' certificates are: PEM files on the agent. */
export interface TrustFile {
  readonly kind: Trust['kind'];
  readonly path: string;
}

/** Hash by curve, as the model-signing tool chooses it (Sigstore's algorithm registry). */
export const hashOfCurve: Readonly<Record<string, string>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
};

function unusable({ kind, path }: TrustFile, reason: string, cause?: unknown): DeliveryError {
  const [input, content] =
    kind === 'key'
      ? ['signatureKey', 'a PEM public key on the curve P-256, P-384 or P-521']
      : ['signatureAuthorities', 'one or more PEM certificates'];
  return new DeliveryError({
    code: 'SIGNATURE_KEY_UNUSABLE',
    side: 'input',
    message: `'${path}', which input '${input}' names, ${reason}.`,
    remedy: `Give a file with ${content}; a secure file comes by the task DownloadSecureFile@1 before this one.`,
    cause,
  });
}

function publicKey(file: TrustFile, pem: string): Trust {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw unusable(file, 'holds a private key, which must never be on an agent that only verifies');
  }
  const key = createPublicKey(pem);
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  if (curve in hashOfCurve) return { kind: 'key', key };
  throw unusable(file, `holds a key of type ${key.asymmetricKeyType} ${curve}`.trimEnd());
}

function authorities(pem: string): Trust {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('no certificate is in it');
  return { kind: 'authorities', certificates: blocks.map((block) => new X509Certificate(block)) };
}

/** Reads what the user trusts. Throws SIGNATURE_KEY_UNUSABLE. */
export async function readTrust(file: TrustFile): Promise<Trust> {
  try {
    const pem = await readFile(file.path, 'utf8');
    return file.kind === 'key' ? publicKey(file, pem) : authorities(pem);
  } catch (error) {
    if (error instanceof DeliveryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw unusable(file, `cannot be used: ${reason}`, error);
  }
}
