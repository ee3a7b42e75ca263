import type { ByteReader } from './bytes.ts';
import type { Import } from './machine.ts';
import { dangerousModules } from './rules.ts';

const modules = dangerousModules.map((module) => module.replaceAll('.', '\\.')).join('|');
const name = '([A-Za-z_][\\w.]{0,99})';
const module = `((?:${modules})(?:\\.[\\w.]+)?)`;
/** Opcodes that push a text of so many bytes. */
const counted = '(?:[\\x8cU][^]|[XT][^]{4}|\\x8d[^]{8})';
/** Opcodes that put it into the memo. */
const memoised = '(?:\\x94|q[^]|r[^]{4}|p\\d{1,9}\\r?\\n|)';
const quoted = (text: string): string => `(?:V${text}|S['"]${text}['"])\\r?\\n`;
/** GLOBAL and INST with both names in lines; or two texts in a row, as STACK_GLOBAL takes them. */
const signature = new RegExp(
  `[ci]${module}\\r?\\n${name}\\r?\\n` +
    `|${counted}${module}${memoised}${counted}${name}` +
    `|${quoted(module)}${memoised}${quoted(name)}`,
  'g',
);
/** As long as a signature can be: pieces overlap by it. */
const overlap = 512;

/**
 * Searches the rest of a stream for the imports of dangerous modules, where the stream cannot be followed:
 * for example after the raw arrays that joblib writes between opcodes. Stops at the deadline (as
 * `performance.now()` counts); true when it came to the end.
 */
export async function searchImports(
  reader: ByteReader,
  deadline: number,
  found: (imported: Import) => void,
): Promise<boolean> {
  let tail = '';
  for (;;) {
    if (performance.now() > deadline) return false;
    const piece = await reader.rest();
    if (piece === undefined) return true;
    const text = tail + piece.toString('latin1');
    for (const match of text.matchAll(signature)) {
      // Of all its alternatives just one has matched, with two names.
      const [module = '', name = ''] = match.slice(1).filter((one) => one !== undefined);
      found({ module, name });
    }
    tail = text.slice(-overlap);
  }
}
