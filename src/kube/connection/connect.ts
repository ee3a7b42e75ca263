import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ClusterName } from '../../azure/cluster.ts';
import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { ClusterAccess } from '../api/access.ts';
import type { RunPlugin } from './execPlugin.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { readServiceConnection } from './serviceConnection.ts';

/** An AKS cluster by its names in Azure. */
export interface AksChoice {
  readonly type: 'azureResourceManager';
  readonly id: string;
  readonly name: ClusterName;
  /** To its API server, or by commands within it; auto prefers the API server. */
  readonly way: 'auto' | 'direct' | 'runCommand';
}

/** Which cluster, and how to sign in there. */
export type ConnectionChoice =
  | { readonly type: 'kubernetes'; readonly id: string }
  | AksChoice
  | {
      readonly type: 'kubeconfig';
      /** A file's path, or the content itself. */
      readonly kubeconfig: string;
      readonly context?: string;
      /** Runs the programs that it signs in by. */
      readonly allowPlugins: boolean;
    };

/** A path is one line and holds no YAML mapping or JSON object. */
function isContent(kubeconfig: string): boolean {
  return /[\r\n]/.test(kubeconfig) || kubeconfig.trimStart().startsWith('{');
}

async function readFileOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'KUBECONFIG_UNREADABLE',
      side: 'input',
      message: `The kubeconfig '${path}' cannot be read.`,
      remedy: "Correct the path in the input 'kubeconfig', or pass the content from a secret variable.",
      cause,
    });
  });
}

const pluginMs = 120_000;
const shownCharacters = 1000;

function pluginRunner(host: Host): RunPlugin {
  const run = promisify(execFile);
  return async ([program, ...args], environment) => {
    const signal = within(pluginMs, host.cancelled);
    const env = { ...host.environment, ...environment };
    try {
      return (await run(program, args, { env, signal, windowsHide: true })).stdout;
    } catch (error) {
      host.cancelled.throwIfAborted();
      // The error's own message quotes the whole command line, which may hold a secret.
      const { code, stderr = '' } = error as { code?: string | number; stderr?: string };
      throw new Error(stderr.trim().slice(-shownCharacters) || `it ended with ${code ?? 'a signal'}`);
    }
  };
}

/** The access that a connection without Azure gives. Throws KUBECONFIG_… and SERVICE_CONNECTION_… errors. */
export async function connect(
  choice: Exclude<ConnectionChoice, AksChoice>,
  host: Host,
): Promise<ClusterAccess> {
  const secret = (value: string): void => host.secret(value);
  if (choice.type === 'kubernetes') {
    return readServiceConnection(host.connection(choice.id), { folder: host.workingFolder, secret });
  }
  const path = resolve(host.workingFolder, choice.kubeconfig);
  const inline = isContent(choice.kubeconfig);
  return readKubeconfig({
    content: inline ? choice.kubeconfig : await readFileOf(path),
    folder: inline ? host.workingFolder : dirname(path),
    secret,
    ...(choice.context === undefined ? {} : { context: choice.context }),
    ...(choice.allowPlugins ? { runPlugin: pluginRunner(host) } : {}),
  });
}
