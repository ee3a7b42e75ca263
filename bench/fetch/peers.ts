import { join } from 'node:path';
import type { SystemPackage } from '../../local/lib/systemPackage.ts';
import type { Fetcher, Job } from './job.ts';

/** What the peers are installed from. */
export const peerPackages: readonly SystemPackage[] = ['curl', 'aria2', 'rclone'].map((name) => ({
  name,
  purpose: 'a peer that FetchModel is compared with',
}));

/** At a time: files, or ranges of a file. */
const parallel = '8';

async function curlArguments({ server, model, target, note }: Job): Promise<string[]> {
  const lines = model.files.flatMap((file) => [
    `url = "${server.address(model, file)}"`,
    `output = "${join(target, file)}"`,
  ]);
  if (server.authority !== undefined) lines.push(`cacert = "${server.authority}"`);
  const config = await note('curl.conf', lines.join('\n'));
  const flags = ['--fail', '--silent', '--show-error', '--create-dirs'];
  return [...flags, '--parallel', '--parallel-max', parallel, '--config', config];
}

const curl: Fetcher = {
  name: 'curl',
  command: async (job) => ({ command: 'curl', args: await curlArguments(job) }),
};

/** What a script does that trusts no transfer. */
const curlAndSum: Fetcher = {
  name: 'curl, then sha256sum',
  // What hashing afterwards costs is the same everywhere.
  suits: (server) => server.name === 'nginx',
  command: async (job) => ({
    command: 'bash',
    args: [
      ...['-ec', 'target=$1; shift; curl "$@"; cd "$target"; find . -type f -print0 | xargs -0 sha256sum'],
      ...['script', job.target, ...(await curlArguments(job))],
    ],
  }),
};

const aria2: Fetcher = {
  name: `aria2c -x${parallel}`,
  // With thousands of files it takes several times as long as all others together.
  suits: (server, model) => server.name === 'nginx' || model.files.length < 100,
  async command({ server, model, target, note }) {
    const lines = model.files.flatMap((file) => [server.address(model, file), ` out=${file}`]);
    const list = await note('aria2.list', lines.join('\n'));
    const flags = ['--quiet', '--file-allocation=none', '--min-split-size=1M', '--split', parallel];
    const limits = ['--max-connection-per-server', parallel, '--max-concurrent-downloads', parallel];
    if (server.authority !== undefined) flags.push('--ca-certificate', server.authority);
    return { command: 'aria2c', args: [...flags, ...limits, '--dir', target, '--input-file', list] };
  },
};

const rclone: Fetcher = {
  name: `rclone, ${parallel} streams`,
  async command({ server, model, target, note }) {
    const streams = ['--multi-thread-streams', parallel, '--multi-thread-cutoff', '8M'];
    const flags = ['--config', await note('rclone.conf', ''), '--transfers', parallel, ...streams];
    if (server.authority !== undefined) flags.push('--ca-cert', server.authority);
    return {
      command: 'rclone',
      args: ['copy', ...flags, server.rclone.path(model), target],
      env: { ...process.env, ...server.rclone.environment },
    };
  },
};

export const peers: readonly Fetcher[] = [curl, curlAndSum, aria2, rclone];
