import { DeliveryError } from '../../errors.ts';
import { type Finding, pickleName } from './content.ts';
import { inspectFile } from './inspect.ts';

/** What is done about findings: `off` does not look, `warn` tells, `fail` ends the run. */
export type ScanMode = 'off' | 'warn' | 'fail';

/** A file of the model and where its bytes are now. */
export interface LocatedFile {
  readonly path: string;
  readonly location: string;
}

const shownInError = 5;
/** Files that are inspected at a time: of most only the first bytes are read. */
const filesAtOnce = 8;

/**
 * Inspects a model's files for code that runs when they are loaded.
 * Throws CONTENT_UNSAFE in mode `fail` when there is such code, or when a file that by its name holds a pickle could
 * not be inspected.
 */
export async function inspectModel(
  files: readonly LocatedFile[],
  mode: ScanMode,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (mode === 'off') return [];
  const findings: Finding[] = [];
  for (let at = 0; at < files.length; at += filesAtOnce) {
    const some = files.slice(at, at + filesAtOnce);
    const found = await Promise.all(some.map(({ path, location }) => inspectFile(location, path, signal)));
    findings.push(...found.flat());
  }
  const dangerous = findings.filter(({ file, kind }) => kind === 'dangerous' || pickleName.test(file));
  if (mode === 'warn' || dangerous.length === 0) return findings;
  const shown = dangerous.slice(0, shownInError).map(({ file, text }) => `'${file}' ${text}`);
  const more = dangerous.length > shown.length ? `; and ${dangerous.length - shown.length} more` : '';
  throw new DeliveryError({
    code: 'CONTENT_UNSAFE',
    side: 'storage',
    message: `The model has content that runs code when it is loaded, or may do so: ${shown.join('; ')}${more}.`,
    remedy:
      "Find out who published it. If it is meant to be so, publish it in a format without code (ONNX, safetensors), or set 'scan' to warn.",
  });
}
