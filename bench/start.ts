import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packagedTaskFolder, taskNames } from '../build/layout.ts';
import { packageExtension } from '../build/package.ts';
import { createContext } from '../local/lib/context.ts';
import { ensureNode, type NodeMajor } from '../local/toolchain/node.ts';
import { type Report, summarise, table } from './report.ts';

const rounds = 15;

/** Milliseconds from a process's start to its end. */
function time(node: string, args: readonly string[], temporary: string): number {
  const started = performance.now();
  spawnSync(node, args, {
    env: { PATH: process.env['PATH'], AGENT_TEMPDIRECTORY: temporary },
    stdio: 'ignore',
  });
  return performance.now() - started;
}

function contest(node: string, temporary: string): Map<string, number[]> {
  const contestants = new Map<string, readonly string[]>([
    ['node alone', ['-e', '0']],
    ...taskNames.map((name) => [name, [join(packagedTaskFolder(name), 'index.js')]] as const),
  ]);
  const samples = new Map([...contestants.keys()].map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, args] of contestants) samples.get(name)?.push(time(node, args, temporary));
  }
  return samples;
}

/** How long each packaged task takes from its start to its first decision (a missing input), beside Node alone. */
export async function benchStart(): Promise<Report> {
  await packageExtension(() => undefined);
  const context = await createContext();
  const temporary = mkdtempSync(join(tmpdir(), 'model-delivery-bench-'));
  try {
    const parts = await Promise.all(
      ([20, 24] satisfies NodeMajor[]).map(async (major) => ({
        major,
        node: await ensureNode(context, major),
      })),
    );
    const results = parts.map(({ major, node }) => ({
      major,
      figures: summarise('ms', 'node alone', contest(node, temporary)),
    }));
    return {
      text: results
        .map(({ major, figures }) => table(`Start to first decision, Node ${major}`, figures))
        .join('\n\n'),
      figures: results.flatMap(({ major, figures }) =>
        figures.map((figure) => ({ ...figure, name: `${figure.name}, Node ${major}` })),
      ),
    };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
