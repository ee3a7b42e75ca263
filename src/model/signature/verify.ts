import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { inTotoType, preAuthenticationEncoding } from '../../dsse.ts';
import { DeliveryError } from '../../errors.ts';
import { type Bundle, parseBundle } from './bundle.ts';
import { keyOfSigner } from './chain.ts';
import { signatureInvalid } from './invalid.ts';
import { parseStatement, type Statement } from './statement.ts';
import { hashOfCurve, type Trust } from './trust.ts';

/** Hexadecimal SHA-256 of a public key's PEM, by which bundles hint at it. */
function keyHint(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'pem' }))
    .digest('hex');
}

interface Signer {
  readonly key: KeyObject;
  readonly name: string;
}

function signerOf({ material }: Bundle, trust: Trust): Signer {
  if (material.kind === 'keyless') {
    throw signatureInvalid(
      'was made keyless (an identity and a transparency log), which this task does not verify',
    );
  }
  if (trust.kind === 'authorities') {
    if (material.kind !== 'certificates') {
      throw signatureInvalid(
        "is by a key without certificate, and 'signatureAuthorities' trusts certificates",
      );
    }
    const { key, subject } = keyOfSigner(material.chain, trust.certificates);
    return { key, name: `certificate '${subject}'` };
  }
  const hint = keyHint(trust.key);
  const certificate = material.kind === 'certificates' ? material.chain[0] : undefined;
  const own = certificate === undefined ? undefined : keyHint(new X509Certificate(certificate).publicKey);
  const named = own ?? (material.kind === 'key' ? material.hint : undefined);
  if (named !== undefined && named !== hint) {
    throw signatureInvalid(`is by the key sha256:${named}, and 'signatureKey' is sha256:${hint}`);
  }
  return { key: trust.key, name: `key sha256:${hint}` };
}

/** A statement that a trusted signer made. */
export interface Signed extends Statement {
  /** The key's digest or the certificate's subject, for the log. */
  readonly signer: string;
}

function verified(bundle: Bundle, trust: Trust): Signed {
  if (bundle.payloadType !== inTotoType) {
    throw signatureInvalid(`is over '${bundle.payloadType}', not over an in-toto statement`);
  }
  const { key, name } = signerOf(bundle, trust);
  const hash = hashOfCurve[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (hash === undefined) throw signatureInvalid(`is by a key of type ${key.asymmetricKeyType}`);
  if (!verify(hash, preAuthenticationEncoding(inTotoType, bundle.payload), key, bundle.signature)) {
    throw signatureInvalid(`is wrong: ${name} did not sign this content`);
  }
  return { ...parseStatement(bundle.payload), signer: name };
}

/**
 * Verifies an OpenSSF model signature by a trusted key or certificate authority, and gives what it says.
 * Throws SIGNATURE_INVALID. The bytes of the model are not looked at here: their digests are in the statement.
 */
export function verifySignature(text: string, trust: Trust): Signed {
  const bundle = parseBundle(text);
  try {
    return verified(bundle, trust);
  } catch (error) {
    if (error instanceof DeliveryError) throw error;
    throw signatureInvalid('cannot be read', error);
  }
}
