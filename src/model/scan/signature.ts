import type { ByteReader } from './bytes.ts';
import type { Import } from './machine.ts';
import { dangerousModules } from './rules.ts';

const modules = dangerousModules.map((module) => module.replaceAll('.', '\\.')).join('|');
const name = '([A-Za-z_][\\w.]{0,99})';
/** GLOBAL with both names in lines; or two short texts in a row, as STACK_GLOBAL takes them. */
const signature = new RegExp(
  `c((?:${modules})(?:\\.[\\w.]+)?)\\r?\\n${name}\\r?\\n` +
    `|[\\x8cU][^]((?:${modules})(?:\\.[\\w.]+)?)(?:\\x94|q[^]|)[\\x8cU][^]${name}`,
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
      found({ module: match[1] ?? match[3] ?? '', name: match[2] ?? match[4] ?? '' });
    }
    tail = text.slice(-overlap);
  }
}
