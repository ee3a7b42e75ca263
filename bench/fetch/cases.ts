import { join } from 'node:path';
import { writeRandom } from '../files.ts';
import { type BenchOptions, scaled } from '../options.ts';

/** A model that is fetched: so many files of one size, published as version 1. */
export interface ModelCase {
  readonly name: string;
  readonly title: string;
  readonly files: readonly string[];
  readonly bytesEach: number;
}

const shapes = [
  { name: 'one', title: '1 GiB in one file', count: 1, bytesEach: 2 ** 30 },
  { name: 'eight', title: '8 files of 128 MiB', count: 8, bytesEach: 2 ** 27 },
  { name: 'many', title: '2,000 files of 64 KiB', count: 2000, bytesEach: 2 ** 16 },
] as const;

/** What a long way leaves time for. */
const small = { name: 'small', title: '32 MiB in one file', count: 1, bytesEach: 2 ** 25 } as const;

export function modelCases(options: BenchOptions): ModelCase[] {
  const note = options.size === 'SMALL' ? ' (a sixteenth of it)' : '';
  return [...shapes, small].map(({ name, title, count, bytesEach }) => {
    // Of many small files there are fewer, not smaller ones.
    const isMany = name === 'many';
    const names = isMany ? scaled(count, options) : count;
    return {
      name,
      title: title + note,
      files: Array.from({ length: names }, (_, at) => `part-${String(at).padStart(4, '0')}.bin`),
      bytesEach: isMany ? bytesEach : scaled(bytesEach, options),
    };
  });
}

/** Writes the model's files as `<folder>/<model>/1/<file>`. */
export async function writeModel(folder: string, { name, files, bytesEach }: ModelCase): Promise<void> {
  for (const file of files) await writeRandom(join(folder, name, '1', file), bytesEach);
}
