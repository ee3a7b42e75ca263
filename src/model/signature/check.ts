import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import { pathFilter } from '../selection/patterns.ts';
import type { SelectedFile, Selection, Wanted } from '../selection/types.ts';
import { type ModelStore, textOf } from '../store.ts';
import { signatureInvalid } from './invalid.ts';
import { readTrust, type TrustFile } from './trust.ts';
import { type Signed, verifySignature } from './verify.ts';

/** What is done about the signature that lies beside a model. */
export interface SignatureSettings {
  /** `auto` verifies where there is one, `require` wants one, `off` does not look. */
  readonly mode: 'auto' | 'require' | 'off';
  /** Path below the version. */
  readonly file: string;
  /** Whose signatures count; without it none can be verified. */
  readonly trust?: TrustFile;
}

/** A signature names its files with a line each: more than this is something else. */
const largestSignature = 64 * 1024 * 1024;
const shownInError = 5;

/** A chosen version that was signed: every file with the digest that the signer gave it. */
export interface SignedSelection {
  readonly selection: Selection;
  /** The key's digest or the certificate's subject; absent when nothing was verified. */
  readonly signer?: string;
}

/** The signature itself is chosen too, whatever the user's patterns say, where it is to be verified. */
export function withSignature(wanted: Wanted, { mode, file, trust }: SignatureSettings): Wanted {
  if (mode === 'off' || trust === undefined) return wanted;
  return { ...wanted, files: [...wanted.files, file] };
}

function missing(selection: Selection, file: string): DeliveryError {
  return new DeliveryError({
    code: 'SIGNATURE_MISSING',
    side: 'storage',
    message: `Version '${selection.version}' of model '${selection.model}' has no signature '${file}', and 'verifySignature' is require. Nothing was fetched.`,
    remedy:
      "Sign the model before it is published (model_signing sign key … --signature model.sig), or correct 'signatureFile'.",
  });
}

function mismatch(selection: Selection, problems: readonly string[]): DeliveryError {
  const more = problems.length > shownInError ? `; and ${problems.length - shownInError} more` : '';
  return new DeliveryError({
    code: 'SIGNATURE_MISMATCH',
    side: 'storage',
    message: `Version '${selection.version}' of model '${selection.model}' is not what was signed: ${problems.slice(0, shownInError).join('; ')}${more}. Nothing was fetched.`,
    remedy: 'Find out who changed the published files. If the change is wanted, sign the model again.',
  });
}

function isIgnored(path: string, signed: Signed): boolean {
  return signed.ignored.some((ignored) => path === ignored || path.startsWith(`${ignored}/`));
}

/** How the published files differ from the signed ones, as far as names and known digests tell. */
function problemsOf(
  selection: Selection,
  signed: Signed,
  expected: (path: string) => boolean,
): readonly string[] {
  const present = new Set(selection.files.map(({ path }) => path));
  const lacking = [...signed.files.keys()].filter((path) => !present.has(path) && expected(path));
  const others = selection.files.flatMap(({ path, stored }) => {
    const sha256 = signed.files.get(path);
    if (sha256 === undefined) return isIgnored(path, signed) ? [] : [`'${path}' was not signed`];
    const known = stored.sha256 !== undefined && stored.sha256 !== sha256;
    return known ? [`'${path}' is published with another SHA-256 than was signed`] : [];
  });
  return [...lacking.map((path) => `'${path}' was signed and is not there`), ...others];
}

async function readSigned(
  store: ModelStore,
  { stored }: SelectedFile,
  trust: TrustFile,
  signal: AbortSignal,
): Promise<Signed> {
  const trusted = await readTrust(trust);
  const text = await textOf(store, stored, largestSignature, signal);
  if (text === undefined) throw signatureInvalid(`is larger than ${largestSignature} bytes`);
  return verifySignature(text, trusted);
}

function withDigests(selection: Selection, signed: Signed): Selection {
  const files = selection.files.map(({ path, stored }) => {
    const sha256 = signed.files.get(path);
    return { path, stored: sha256 === undefined ? stored : { ...stored, sha256 } };
  });
  return { ...selection, files };
}

/**
 * Verifies the OpenSSF signature of the chosen version before any byte of it is fetched, and gives each file the
 * digest that was signed: the transfer, or whoever streams a resolved model, then accepts no other bytes.
 * Throws SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNATURE_MISMATCH or SIGNATURE_KEY_UNUSABLE.
 */
export async function requireSignature(
  selection: Selection,
  wanted: Wanted,
  { mode, file, trust }: SignatureSettings,
  { store, log, signal }: { readonly store: ModelStore; readonly log: Log; readonly signal: AbortSignal },
): Promise<SignedSelection> {
  if (mode === 'off') return { selection };
  const found = selection.files.find(({ path }) => path === file);
  if (found === undefined) {
    if (mode === 'require') throw missing(selection, file);
    if (trust !== undefined)
      log.warning(`No signature '${file}' lies beside the model: nothing was verified.`);
    return { selection };
  }
  if (trust === undefined) {
    log.info(
      `A signature '${file}' lies beside the model; give 'signatureKey' or 'signatureAuthorities' to verify it.`,
    );
    return { selection };
  }
  const signed = await readSigned(store, found, trust, signal);
  // What tells that a version is complete is written after it was signed.
  const unsigned = new Set([file, wanted.ready.markerFile]);
  const judged = { ...selection, files: selection.files.filter(({ path }) => !unsigned.has(path)) };
  const problems = problemsOf(judged, signed, pathFilter(wanted.files));
  if (problems.length > 0) throw mismatch(selection, problems);
  log.info(`Signature '${file}' by ${signed.signer} is right, over ${signed.files.size} file(s).`);
  return { selection: withDigests(selection, signed), signer: signed.signer };
}
