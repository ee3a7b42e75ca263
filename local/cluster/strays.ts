import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalContext } from '../lib/context.ts';
import { run } from './command.ts';
import { clusterLayout, kubeconfigFile } from './layout.ts';

async function inNamespace(name: string): Promise<number[]> {
  const text = await run('ip', ['netns', 'pids', name]).catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

/** The load-balancer controller runs in the machine's own namespace; the kubeconfig among its arguments is ours alone. */
async function withArgument(argument: string): Promise<number[]> {
  const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const matches = entries.map(async (pid) => {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return args.includes('load-balancer') && args.includes(argument) ? [Number(pid)] : [];
  });
  return (await Promise.all(matches)).flat();
}

async function find(context: LocalContext): Promise<number[]> {
  const { name } = clusterLayout(context);
  const found = [inNamespace(name), withArgument(`--kubeconfig=${kubeconfigFile(context)}`)];
  return (await Promise.all(found)).flat();
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

/** Ends processes of this context's cluster whose record is lost, and waits until the last has gone. */
export async function endStrays(context: LocalContext): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (let strays = await find(context); strays.length > 0; strays = await find(context)) {
    strays.forEach(kill);
    if (Date.now() > deadline)
      throw new Error(`processes ${strays.join(', ')} of the local cluster do not end`);
    await sleep(50);
  }
}
