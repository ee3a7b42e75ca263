import { createHash } from 'node:crypto';
import { isJson } from './bundle.ts';
import { signatureInvalid } from './invalid.ts';

/** What the signer says of a model. */
export interface Statement {
  /** The folder's name when it was signed. */
  readonly name: string;
  /** Hexadecimal SHA-256 by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Paths that were left out when the model was signed: files, or folders with all below them. */
  readonly ignored: readonly string[];
}

const statementType = 'https://in-toto.io/Statement/v1';
const predicateType = 'https://model_signing/signature/v1.0';

function resourcesOf(value: unknown): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const resource of Array.isArray(value) ? value : []) {
    const { name, algorithm, digest } = isJson(resource) ? resource : {};
    if (algorithm !== 'sha256' || typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest)) {
      throw signatureInvalid(
        `hashes '${String(name)}' by ${JSON.stringify(algorithm)}; only sha256 is known here`,
      );
    }
    if (typeof name !== 'string' || files.has(name)) throw signatureInvalid('names a file twice, or none');
    files.set(name, digest);
  }
  return files;
}

function requireRoot(subject: unknown, files: ReadonlyMap<string, string>): string {
  const [first, ...others] = Array.isArray(subject) ? subject : [];
  const { name, digest } = isJson(first) ? first : {};
  const root = createHash('sha256');
  for (const sha256 of files.values()) root.update(Buffer.from(sha256, 'hex'));
  if (others.length === 0 && isJson(digest) && digest['sha256'] === root.digest('hex')) return String(name);
  throw signatureInvalid("contradicts itself: its files' digests do not make the digest of its subject");
}

function ignoredOf(serialization: unknown): readonly string[] {
  const { method, ignore_paths } = isJson(serialization) ? serialization : {};
  if (method !== 'files') {
    throw signatureInvalid(
      `is over ${JSON.stringify(method)}; only signatures over whole files are known here`,
    );
  }
  return (Array.isArray(ignore_paths) ? ignore_paths : []).filter((path) => typeof path === 'string');
}

/**
 * Reads the in-toto statement of an OpenSSF model signature, version 1.0, whose bytes were verified before.
 * Throws SIGNATURE_INVALID. Source: github.com/sigstore/model-transparency, docs/model_signing_format.md.
 */
export function parseStatement(payload: Buffer): Statement {
  const value: unknown = JSON.parse(payload.toString('utf8'));
  const { _type, subject, predicateType: kind, predicate } = isJson(value) ? value : {};
  if (_type !== statementType || kind !== predicateType || !isJson(predicate)) {
    throw signatureInvalid(`is no model signature of version 1.0, its predicate is ${JSON.stringify(kind)}`);
  }
  const ignored = ignoredOf(predicate['serialization']);
  const files = resourcesOf(predicate['resources']);
  return { name: requireRoot(subject, files), files, ignored };
}
