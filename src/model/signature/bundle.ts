import { signatureInvalid } from './invalid.ts';

/** By what a bundle says that it can be verified. */
export type Material =
  /** A key that both sides know; the hint is the hexadecimal SHA-256 of its PEM. */
  | { readonly kind: 'key'; readonly hint?: string }
  /** The signer's certificate first, then those between it and an authority; DER. */
  | { readonly kind: 'certificates'; readonly chain: readonly Buffer[] }
  /** Sigstore's keyless way: a short-lived certificate and a transparency log. */
  | { readonly kind: 'keyless' };

/** A signed statement as it is stored. */
export interface Bundle {
  readonly material: Material;
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
}

type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function member(value: unknown, name: string): unknown {
  return isJson(value) ? value[name] : undefined;
}

function bytes(value: unknown, what: string): Buffer {
  if (typeof value === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(value)) return Buffer.from(value, 'base64');
  throw signatureInvalid(`is not a Sigstore bundle: it has no ${what}`);
}

function materialOf(value: unknown): Material {
  const chain = member(member(value, 'x509CertificateChain'), 'certificates');
  if (Array.isArray(chain)) {
    return {
      kind: 'certificates',
      chain: chain.map((entry) => bytes(member(entry, 'rawBytes'), 'certificate')),
    };
  }
  if (member(value, 'certificate') !== undefined) return { kind: 'keyless' };
  const hint = member(member(value, 'publicKey'), 'hint');
  return { kind: 'key', ...(typeof hint === 'string' && hint !== '' && { hint }) };
}

/**
 * Reads a Sigstore bundle that holds a DSSE envelope. Throws SIGNATURE_INVALID.
 * Source: https://docs.sigstore.dev/about/bundle/ and DSSE's envelope.md.
 */
export function parseBundle(text: string): Bundle {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw signatureInvalid('is not JSON', cause);
  }
  const mediaType = member(value, 'mediaType');
  if (mediaType !== 'application/vnd.dev.sigstore.bundle.v0.3+json') {
    throw signatureInvalid(
      `is no Sigstore bundle of version 0.3, its media type is ${JSON.stringify(mediaType)}`,
    );
  }
  const envelope = member(value, 'dsseEnvelope');
  const signatures = member(envelope, 'signatures');
  const first: unknown = Array.isArray(signatures) && signatures.length === 1 ? signatures[0] : undefined;
  return {
    material: materialOf(member(value, 'verificationMaterial')),
    payloadType: String(member(envelope, 'payloadType')),
    payload: bytes(member(envelope, 'payload'), 'payload'),
    signature: bytes(member(first, 'sig'), 'single signature'),
  };
}
