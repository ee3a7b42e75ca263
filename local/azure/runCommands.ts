import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { audiences, type LocalIdentity } from '../identity/index.ts';
import type { Answer, Asked } from '../identity/server.ts';
import { refused } from './armRefusals.ts';

/** How a cluster runs commands, to be changed while it runs. */
export interface ClusterCommands {
  /** Enters the cluster where the commands really run. */
  readonly kubeconfig: string;
  /** Path of kubectl. */
  readonly kubectl: string;
  /** Object ids that may run commands and read their results. */
  runners: readonly string[];
  disabled: boolean;
  /** False answers as a cluster without room for the command's pod. */
  podStarts: boolean;
  /** Why every command ends without a result; undefined lets them run. */
  failure?: string | undefined;
  /** Bytes of output that are kept. */
  logLimit: number;
}

/** The published limit. https://learn.microsoft.com/azure/aks/access-private-cluster */
export const publishedLogLimit = 512 * 1024;

interface Running {
  readonly child: ChildProcess;
  readonly startedAt: string;
  readonly failure: string | undefined;
  result?: { readonly exitCode: number; readonly logs: string; readonly finishedAt: string };
}

interface Payload {
  readonly command: string;
  readonly context?: string;
  readonly clusterToken?: string;
}

function payloadOf(text: string): Payload | undefined {
  try {
    const { command, context, clusterToken, ...rest } = JSON.parse(text) as Record<string, unknown>;
    if (typeof command !== 'string' || command === '' || Object.keys(rest).length > 0) return undefined;
    if ([context, clusterToken].some((field) => field !== undefined && typeof field !== 'string'))
      return undefined;
    return {
      command,
      ...(typeof context === 'string' ? { context } : {}),
      ...(typeof clusterToken === 'string' ? { clusterToken } : {}),
    };
  } catch {
    return undefined;
  }
}

/** The folder that the command's pod has: the files of the context, kubectl, and the way into the cluster. */
async function workFolder(payload: Payload, commands: ClusterCommands): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'model-delivery-command-'));
  const files = unzipSync(Buffer.from(payload.context ?? '', 'base64'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, 'work', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  await mkdir(join(folder, 'bin'));
  await symlink(commands.kubectl, join(folder, 'bin', 'kubectl'));
  await writeFile(join(folder, 'kubeconfig'), commands.kubeconfig, { mode: 0o600 });
  return folder;
}

async function start(payload: Payload, commands: ClusterCommands): Promise<Running> {
  const folder = await workFolder(payload, commands);
  const child = spawn('sh', ['-c', payload.command], {
    cwd: join(folder, 'work'),
    env: {
      PATH: [join(folder, 'bin'), process.env['PATH'] ?? ''].join(delimiter),
      HOME: folder,
      KUBECONFIG: join(folder, 'kubeconfig'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that the command ends with all that it started.
    detached: true,
  });
  const running: Running = { child, startedAt: new Date().toISOString(), failure: commands.failure };
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => void parts.push(part));
  child.once('close', (exitCode) => {
    const logs = Buffer.concat(parts).subarray(0, commands.logLimit).toString('utf8');
    running.result = { exitCode: exitCode ?? 137, logs, finishedAt: new Date().toISOString() };
    void rm(folder, { recursive: true, force: true });
  });
  return running;
}

/** AKS's run command: the commands of all clusters of one resource manager. */
export interface RunCommands {
  submit(commands: ClusterCommands, usesEntra: boolean, request: Asked): Promise<Answer>;
  result(id: string, request: Asked): Answer;
  close(): void;
}

async function refusalOf(
  commands: ClusterCommands,
  usesEntra: boolean,
  payload: Payload | undefined,
  local: LocalIdentity,
): Promise<Answer | undefined> {
  if (commands.disabled) {
    return refused(
      400,
      'BadRequest',
      'Run command is disabled for this cluster (disableRunCommand is true).',
    );
  }
  if (payload === undefined) {
    return refused(
      400,
      'InvalidRequestContent',
      'The request content was invalid and could not be deserialized.',
    );
  }
  if (usesEntra) {
    const verified = await local.entra.verify(`Bearer ${payload.clusterToken ?? ''}`, [audiences.aks]);
    if ('problem' in verified) return refused(400, 'BadRequest', `clusterToken: ${verified.problem}`);
  }
  if (commands.podStarts) return undefined;
  const message =
    'Failed to run command due to cluster perf issue, container command-0123456789abcdef0123456789abcdef in aks-command namespace did not start within 30s on your cluster, retry may helps. If issue persist, you may need to tune your cluster with better performance (larger node/paid tier).';
  return refused(400, 'KubernetesPerformanceError', message);
}

/**
 * Runs the commands for real, each in a folder of its own, against a real cluster; payload and answers are of the
 * published shapes. https://learn.microsoft.com/rest/api/aks/managed-clusters/run-command
 */
export function createRunCommands(local: LocalIdentity): RunCommands {
  const running = new Map<string, Running>();
  return {
    async submit(commands, usesEntra, request) {
      const payload = payloadOf(request.text);
      const refusal = await refusalOf(commands, usesEntra, payload, local);
      if (refusal !== undefined || payload === undefined) return refusal ?? refused(400, 'BadRequest', '');
      const id = randomUUID().replaceAll('-', '');
      running.set(id, await start(payload, commands));
      const version = request.url.searchParams.get('api-version');
      const path = request.url.pathname.replace(/runCommand$/i, `commandResults/${id}`);
      const location = `${request.url.origin}${path}?api-version=${version}`;
      return { status: 202, json: {}, headers: { location } };
    },
    result(id, request) {
      const command = running.get(id);
      if (command === undefined) return refused(404, 'NotFound', `The command '${id}' was not found.`);
      if (command.result === undefined) {
        return { status: 202, json: {}, headers: { location: request.url.href, 'retry-after': '0.2' } };
      }
      const { startedAt, result, failure: reason } = command;
      if (reason !== undefined) {
        return { status: 200, json: { id, properties: { provisioningState: 'Failed', startedAt, reason } } };
      }
      return {
        status: 200,
        json: { id, properties: { provisioningState: 'Succeeded', startedAt, ...result } },
      };
    },
    close() {
      for (const { child, result } of running.values()) {
        if (result === undefined && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      }
    },
  };
}
