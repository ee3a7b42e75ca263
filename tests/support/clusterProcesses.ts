import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { clusterLayout } from '../../local/cluster/layout.ts';
import type { LocalContext } from '../../local/lib/context.ts';

/** Processes whose command line names the cluster of the context: those of the node, and its controller. */
export async function clusterProcesses(context: LocalContext, word = ''): Promise<number[]> {
  const marks = [clusterLayout(context).name, context.stateFolder];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const matches = pids.map(async (pid) => {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return marks.some((mark) => command.includes(mark)) && command.includes(word) ? [Number(pid)] : [];
  });
  return (await Promise.all(matches)).flat();
}

/** Sends a signal to every process of the cluster whose command line has one of the words. */
export async function signalCluster(
  context: LocalContext,
  signal: NodeJS.Signals,
  ...words: readonly string[]
): Promise<void> {
  const pids = (await Promise.all(words.map((word) => clusterProcesses(context, word)))).flat();
  assert.ok(pids.length >= words.length, `there are processes for ${words.join(', ')}`);
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended together with one that was killed before it.
    }
  }
}

/** Ends processes of the cluster the hard way. */
export function killOfCluster(context: LocalContext, ...words: readonly string[]): Promise<void> {
  return signalCluster(context, 'SIGKILL', ...words);
}
