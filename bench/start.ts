import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { taskNames } from '../build/layout.ts';
import { ensureNode, type NodeMajor } from '../local/toolchain/node.ts';
import { hold, type Outcome, reportOf } from './contest.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { type Room, withRoom } from './room.ts';
import { bundled } from './task.ts';

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

async function contest(room: Room, major: NodeMajor, bundles: ReadonlyMap<string, string>): Promise<Outcome> {
  const node = await ensureNode(room.context, major);
  const words = new Map<string, readonly string[]>([['node alone', ['-e', '0']]]);
  for (const [name, folder] of bundles) words.set(name, [join(folder, 'index.js')]);
  return hold(room.context, {
    title: `Start to first decision, Node ${major}`,
    metrics: [{ name: 'time', unit: 'ms' }],
    contestants: [...words].map(([name, args]) => ({
      name,
      run: async () => ({ time: time(node, args, room.folder) }),
    })),
    rounds,
  });
}

/** How long each packaged task takes from its start to its first decision (a missing input), beside Node alone. */
export function benchStart(options: BenchOptions): Promise<Report> {
  return withRoom(options, async (room) => {
    const bundles = new Map<string, string>();
    for (const name of taskNames) bundles.set(name, await bundled(room, name));
    return reportOf([await contest(room, 20, bundles), await contest(room, 24, bundles)]);
  });
}
