import { scryptSync } from 'node:crypto';

/** A key file of `cosign generate-key-pair`: PEM around JSON around an encrypted PKCS #8 key. */
interface Sealed {
  readonly kdf: { readonly name: string; readonly params: { N: number; r: number; p: number }; salt: string };
  readonly cipher: { readonly name: string; readonly nonce: string };
  readonly ciphertext: string;
}

const pem = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([\s\S]+?)-----END/;
/** cosign's own keys need 64 MiB. */
const mostMemory = 512 * 1024 * 1024;

/** Whether the text is a key file of cosign's own form. */
export function isSigstoreKey(text: string): boolean {
  return pem.test(text);
}

/**
 * The PKCS #8 key (DER) in a key file of cosign. Throws when the password is wrong or the file is not of this form.
 * https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md, key derivation by secure-systems-lab's encrypted
 */
export async function openSigstoreKey(text: string, password: string): Promise<Buffer> {
  const content = Buffer.from((pem.exec(text)?.[1] ?? '').replace(/\s+/g, ''), 'base64');
  const { kdf, cipher, ciphertext } = JSON.parse(content.toString('utf8')) as Sealed;
  if (kdf.name !== 'scrypt' || cipher.name !== 'nacl/secretbox') {
    throw new Error(`it is sealed by ${kdf.name} and ${cipher.name}`);
  }
  const key = scryptSync(password, Buffer.from(kdf.salt, 'base64'), 32, {
    ...kdf.params,
    maxmem: mostMemory,
  });
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa');
  const box = xsalsa20poly1305(key, Buffer.from(cipher.nonce, 'base64'));
  return Buffer.from(box.decrypt(Buffer.from(ciphertext, 'base64')));
}
