import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { DeliveryError } from '../../errors.ts';
import { isSigstoreKey, openSigstoreKey } from './sigstoreKey.ts';

/** Signs as cosign does with a key of one's own. */
export interface Signer {
  /** Base64. */
  sign(content: Uint8Array): string;
  /** Whether a signature (Base64) is this key's. */
  verify(content: Uint8Array, signature: string): boolean;
}

function unusable(problem: string, remedy: string, cause?: unknown): DeliveryError {
  const message = `The signing key cannot be used: ${problem}.`;
  return new DeliveryError({ code: 'SIGNING_KEY_INVALID', side: 'input', message, remedy, cause });
}

async function readKey(text: string, password: string | undefined): Promise<KeyObject> {
  try {
    if (isSigstoreKey(text)) {
      const key = await openSigstoreKey(text, password ?? '');
      return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    }
    return createPrivateKey({ key: text, ...(password === undefined ? {} : { passphrase: password }) });
  } catch (cause) {
    throw unusable(
      'it is no private key in PEM, or its password is another one',
      "Pass a key of 'cosign generate-key-pair' or a PKCS #8 key, and its password in 'signingKeyPassword' from a secret variable.",
      cause,
    );
  }
}

/** The digest that verifiers take for this kind of key without being told. */
function hashOf(key: KeyObject): 'sha256' | null {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ed25519') return null;
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'sha256';
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) return 'sha256';
  throw unusable(
    `a key of type ${key.asymmetricKeyType ?? 'unknown'} ${namedCurve ?? ''} is not one that cosign verifies by default`,
    'Use ECDSA on P-256 (what cosign makes), RSA of 2048 bits or more, or Ed25519.',
  );
}

/** A signer from a private key in PEM, plain or encrypted, also of cosign's own form. Throws SIGNING_KEY_INVALID. */
export async function createSigner(text: string, password: string | undefined): Promise<Signer> {
  const key = await readKey(text, password);
  const hash = hashOf(key);
  const open = createPublicKey(key);
  return {
    sign: (content) => sign(hash, content, key).toString('base64'),
    verify: (content, signature) => verify(hash, content, open, Buffer.from(signature, 'base64')),
  };
}
