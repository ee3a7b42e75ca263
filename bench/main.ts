/** `npm run bench -- NAME [--json FILE]`: a figure beside its peers, in one run, as a ratio. */
import { writeFile } from 'node:fs/promises';
import type { Report } from './report.ts';

const benches: Readonly<Record<string, () => Promise<() => Promise<Report>>>> = {
  start: async () => (await import('./start.ts')).benchStart,
};

const words = process.argv.slice(2);
const at = words.indexOf('--json');
const jsonFile = at < 0 ? undefined : words.splice(at, 2)[1];
const load = benches[words[0] ?? ''];
if (load === undefined) {
  console.error(
    `npm run bench -- NAME [--json FILE], where NAME is one of: ${Object.keys(benches).join(', ')}.`,
  );
  process.exit(2);
}
const report = await (await load())();
console.log(report.text);
if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(report.figures, undefined, 2)}\n`);
