/** `npm run bench -- NAME [--json FILE]`: a figure beside its peers, in one run, as a ratio. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';

type Bench = (options: BenchOptions) => Promise<Report>;

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  start: async () => (await import('./start.ts')).benchStart,
  deploy: async () => (await import('./deploy/bench.ts')).benchDeploy,
  image: async () => (await import('./image/bench.ts')).benchImage,
  fetch: async () => (await import('./fetch/bench.ts')).benchFetch,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    size: { type: 'string' },
    rounds: { type: 'string' },
    profile: { type: 'string' },
    only: { type: 'string' },
  },
});
const load = benches[positionals[0] ?? ''];
if (load === undefined) {
  console.error(
    `npm run bench -- NAME [--json FILE] [--size SMALL|FULL] [--rounds N] [--only TITLE] [--profile FOLDER], where NAME is one of: ${Object.keys(benches).join(', ')}.`,
  );
  process.exit(2);
}
const report = await (await load())({
  size: values.size?.toUpperCase() === 'SMALL' ? 'SMALL' : 'FULL',
  ...(values.rounds === undefined ? {} : { rounds: Number(values.rounds) }),
  ...(values.only === undefined ? {} : { only: values.only }),
  ...(values.profile === undefined ? {} : { profile: values.profile }),
});
console.log(report.text);
if (values.json !== undefined) {
  const { figures, absent = [] } = report;
  await writeFile(values.json, `${JSON.stringify({ figures, absent }, undefined, 2)}\n`);
}
