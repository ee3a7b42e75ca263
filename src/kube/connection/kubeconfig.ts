import { readFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { parse } from 'yaml';
import { DeliveryError } from '../../errors.ts';
import { nearest } from '../../report/nearest.ts';
import type { ClusterAccess } from '../api/access.ts';
import { pluginCredential, type RunPlugin } from './execPlugin.ts';

/** A kubeconfig's text and what is needed to read it. */
export interface KubeconfigSource {
  readonly content: string;
  /** Folder that relative file names in it start from. */
  readonly folder: string;
  /** Context to use; `current-context` when absent. */
  readonly context?: string;
  /** Registers a secret for masking, before it can be printed. */
  readonly secret: (value: string) => void;
  /** Runs exec plug-ins; without it their users are refused. */
  readonly runPlugin?: RunPlugin;
}

type Fields = Readonly<Record<string, unknown>>;

function invalid(message: string, remedy: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'KUBECONFIG_INVALID', side: 'input', message, remedy, cause });
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The named entry of one of the kubeconfig's lists (`clusters`, `users`, `contexts`). */
function entry(config: Fields, list: string, name: string): Fields {
  const entries = Array.isArray(config[list]) ? config[list].filter(isRecord) : [];
  const found = entries.find((candidate) => candidate['name'] === name);
  const content = found?.[list.slice(0, -1)];
  if (isRecord(content)) return content;
  if (found !== undefined) return {};
  const names = entries.map((candidate) => String(candidate['name']));
  throw invalid(
    `The kubeconfig has no ${list.slice(0, -1)} named '${name}'.`,
    names.length === 0
      ? `It lists no ${list} at all: check the file.`
      : `It has: ${nearest(name, names).join(', ')}.`,
  );
}

/** Inline base64 data, or the file that the kubeconfig names; undefined when it has neither. */
async function dataOrFile(fields: Fields, name: string, folder: string): Promise<string | undefined> {
  const data = textOf(fields, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  const file = textOf(fields, name);
  return file === undefined ? undefined : readNamed(file, folder, name);
}

async function readNamed(file: string, folder: string, field: string): Promise<string> {
  const path = isAbsolute(file) ? file : resolve(folder, file);
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalid(
      `The kubeconfig's '${field}' names the file '${path}', which cannot be read.`,
      'Make the kubeconfig self-contained (`kubectl config view --raw --flatten`), or bring the file to the agent.',
      cause,
    );
  });
}

function refusePlugins(user: Fields, name: string): void {
  const plugin = ['exec', 'auth-provider'].find((field) => user[field] !== undefined);
  if (plugin === undefined) return;
  const exec = user['exec'];
  const command = isRecord(exec) && typeof exec['command'] === 'string' ? ` ('${exec['command']}')` : '';
  throw new DeliveryError({
    code: 'KUBECONFIG_PLUGIN',
    side: 'input',
    message: `User '${name}' of the kubeconfig signs in by the plug-in '${plugin}'${command}, which is not run unless that is asked for.`,
    remedy:
      "Use a kubeconfig with a token or client certificate, of a service account for example. An AKS cluster with Entra ID is entered by 'connectionType: azureResourceManager', without kubelogin. Where the agent has the plug-in and is signed in, 'allowExecPlugins: true' runs it.",
  });
}

function tokenOf(user: Fields, source: KubeconfigSource): (() => Promise<string>) | undefined {
  const token = textOf(user, 'token');
  if (token !== undefined) {
    source.secret(token);
    return async () => token;
  }
  const file = textOf(user, 'tokenFile');
  if (file === undefined) return undefined;
  return async () => {
    const value = (await readNamed(file, source.folder, 'tokenFile')).trim();
    source.secret(value);
    return value;
  };
}

async function byPlugin(
  exec: Fields,
  run: RunPlugin,
  source: KubeconfigSource,
): Promise<Pick<ClusterAccess, 'clientCertificate' | 'clientKey' | 'token'>> {
  const credential = pluginCredential(exec, run, source.secret);
  const { token, clientCertificate, clientKey } = await credential();
  return {
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    ...(token === undefined ? {} : { token: async () => (await credential()).token ?? token }),
  };
}

async function credentials(
  config: Fields,
  name: string | undefined,
  source: KubeconfigSource,
): Promise<Pick<ClusterAccess, 'clientCertificate' | 'clientKey' | 'token'>> {
  if (name === undefined) return {};
  const user = entry(config, 'users', name);
  const { exec } = user;
  if (isRecord(exec) && source.runPlugin !== undefined) return byPlugin(exec, source.runPlugin, source);
  refusePlugins(user, name);
  const clientCertificate = await dataOrFile(user, 'client-certificate', source.folder);
  const clientKey = await dataOrFile(user, 'client-key', source.folder);
  const token = tokenOf(user, source);
  for (const key of [clientKey, textOf(user, 'client-key-data')]) if (key !== undefined) source.secret(key);
  return {
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    ...(token === undefined ? {} : { token }),
  };
}

function parseConfig(content: string): Fields {
  let value: unknown;
  try {
    value = parse(content);
  } catch (cause) {
    // The parser's message quotes the text around the error, and that text may be a key.
    const place = cause instanceof Error ? /at line \d+, column \d+/.exec(cause.message)?.[0] : undefined;
    throw invalid(
      `The kubeconfig is not valid YAML${place === undefined ? '' : ` (${place})`}.`,
      'Pass the file as `kubectl config view --raw --flatten` prints it.',
    );
  }
  if (isRecord(value) && Array.isArray(value['clusters'])) return value;
  throw invalid(
    "The kubeconfig has no list 'clusters': it is not a kubeconfig.",
    'Pass the path of a kubeconfig file, or its content from a secret variable.',
  );
}

function chosenContext(config: Fields, wanted: string | undefined): string {
  const name = wanted ?? textOf(config, 'current-context');
  if (name !== undefined) return name;
  throw invalid(
    "The kubeconfig has no 'current-context'.",
    "Name the context to use in the input 'kubeconfigContext'.",
  );
}

/**
 * Reads a kubeconfig's context into an access. Throws KUBECONFIG_INVALID, or KUBECONFIG_PLUGIN for a user that
 * signs in by a plug-in which is not to be run, or gives no credential.
 * Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
export async function readKubeconfig(source: KubeconfigSource): Promise<ClusterAccess> {
  const config = parseConfig(source.content);
  const contextName = chosenContext(config, source.context);
  const context = entry(config, 'contexts', contextName);
  const cluster = entry(config, 'clusters', textOf(context, 'cluster') ?? '');
  const server = textOf(cluster, 'server');
  if (server === undefined || !URL.canParse(server)) {
    throw invalid(
      `Context '${contextName}' of the kubeconfig has no valid server URL.`,
      "Check 'clusters[].cluster.server' in the kubeconfig.",
    );
  }
  const certificateAuthority = await dataOrFile(cluster, 'certificate-authority', source.folder);
  const tlsServerName = textOf(cluster, 'tls-server-name');
  const proxyUrl = textOf(cluster, 'proxy-url');
  const namespace = textOf(context, 'namespace');
  return {
    origin: `context '${contextName}' of the kubeconfig`,
    server,
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(await credentials(config, textOf(context, 'user'), source)),
  };
}
