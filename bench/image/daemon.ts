import { readFile, writeFile } from 'node:fs/promises';
import { descendants, peakOfAll, usage } from '../measure.ts';
import type { Sample } from '../report.ts';

/** Linux gives times of processes in hundredths of a second (USER_HZ) on every architecture that Node runs on. */
const ticksPerSecond = 100;

async function ticksOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // proc(5): after the command's name, fields 14 to 17: own user and system time, and of children waited for.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + (Number(field) || 0), 0);
}

async function total(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(ticksOf));
  return each.reduce((sum, ticks) => sum + ticks, 0) / ticksPerSecond;
}

/** Adds to a client's sample what the daemon that works for it, and all below it, used meanwhile. */
export async function withDaemon(pid: number, work: () => Promise<Sample>): Promise<Sample> {
  const family = async (): Promise<number[]> => [pid, ...(await descendants(pid))];
  const before = await family();
  const used = await total(before);
  // proc(5), clear_refs: 5 resets the peak of resident memory.
  await Promise.all(before.map((each) => writeFile(`/proc/${each}/clear_refs`, '5')));
  const sample = await work();
  const after = await family();
  const cpu = (await total(after)) - used;
  const peak = (await peakOfAll(after)) / 2 ** 20;
  return {
    ...sample,
    [usage.cpu.name]: (sample[usage.cpu.name] ?? 0) + cpu,
    [usage.peak.name]: (sample[usage.peak.name] ?? 0) + peak,
  };
}
