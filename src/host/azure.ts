import { setMaxListeners } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import internal from 'azure-pipelines-task-lib/internal.js';
import * as tl from 'azure-pipelines-task-lib/task.js';
import { DeliveryError, explain } from '../errors.ts';
import { explainNetwork } from '../http/network/explain.ts';
import { installNetwork } from '../http/network/network.ts';
import type { Network } from '../http/network/settings.ts';
import type { Host, Log, PipelineIdentity, ServiceConnection } from './host.ts';
import { type AgentNetwork, agentNetwork, childNetwork } from './network.ts';
import { neutralise } from './neutralise.ts';
import { createOnce } from './once.ts';
import { secretForms } from './secretForms.ts';

const log: Log = {
  info: (text) => process.stdout.write(neutralise(text) + '\n'),
  warning: (text) => tl.warning(neutralise(text)),
  debug: (text) => tl.debug(neutralise(text)),
  progress: (percent, what) =>
    tl.setProgress(Math.max(0, Math.min(100, Math.floor(percent))), neutralise(what)),
};

/** An input as the agent set it. `tl.getInput` would write its value, key or not, into the debug log first. */
function readInput(name: string): string | undefined {
  return internal._vault.retrieveSecret(`INPUT_${internal._getVariableKey(name)}`)?.trim() || undefined;
}

/** The names below a prefix that the agent set in the environment, with their values. */
function environmentBelow(prefix: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && name.toUpperCase().startsWith(prefix))
      found[name.slice(prefix.length).toLowerCase()] = value;
  }
  return found;
}

function readConnection(id: string): ServiceConnection {
  const authorization = tl.getEndpointAuthorization(id, true);
  if (authorization === undefined) {
    throw new DeliveryError({
      code: 'SERVICE_CONNECTION_MISSING',
      side: 'agent',
      message: `The agent did not hand over service connection '${id}'.`,
      remedy:
        'Check that the connection exists in the project and that this pipeline is authorised to use it.',
    });
  }
  const parameters = Object.entries(authorization.parameters).map(([key, value]) => [
    key.toLowerCase(),
    value,
  ]);
  return {
    id,
    url: tl.getEndpointUrl(id, true) ?? '',
    scheme: authorization.scheme,
    parameters: Object.fromEntries(parameters) as Record<string, string>,
    data: environmentBelow(`ENDPOINT_DATA_${id.toUpperCase()}_`),
  };
}

/** The agent gives every task the connection to its own server, whose token is System.AccessToken. */
function readPipelineIdentity(): PipelineIdentity | undefined {
  const accessToken = tl.getEndpointAuthorization('SYSTEMVSSCONNECTION', true)?.parameters['AccessToken'];
  if (accessToken === undefined || accessToken === '') return undefined;
  registerSecret(accessToken);
  const oidcRequestUri = tl.getVariable('System.OidcRequestUri');
  return { accessToken, ...(oidcRequestUri ? { oidcRequestUri } : {}) };
}

function registerSecret(value: string): void {
  for (const form of secretForms(value)) tl.setSecret(form);
}

/** https://github.com/microsoft/azure-pipelines-task-lib/blob/master/node/docs/proxy.md and cert.md */
function readNetwork(): AgentNetwork {
  const proxy = tl.getHttpProxyConfiguration();
  const certificates = tl.getHttpCertConfiguration();
  for (const secret of [proxy?.proxyPassword, certificates?.passphrase]) if (secret) registerSecret(secret);
  const { caFile, certFile, keyFile, certArchiveFile: archiveFile, passphrase } = certificates ?? {};
  const files = { certFile, keyFile, archiveFile, passphrase };
  return {
    ...(proxy?.proxyUrl
      ? {
          proxy: {
            url: proxy.proxyUrl,
            username: proxy.proxyUsername ?? '',
            password: proxy.proxyPassword ?? '',
            bypass: proxy.proxyBypassHosts ?? [],
          },
        }
      : {}),
    ...(caFile ? { caFile } : {}),
    clientCertificate: Object.fromEntries(Object.entries(files).filter(([, value]) => value)),
  };
}

/** Aborts when the agent cancels: it sends SIGINT, then SIGTERM, and kills seconds later. */
function cancellation(): AbortSignal {
  const controller = new AbortController();
  // Every request that is under way listens to it; there are more of them than Node takes for a leak.
  setMaxListeners(0, controller.signal);
  const cancel = (): void =>
    controller.abort(
      new DeliveryError({
        code: 'CANCELLED',
        side: 'agent',
        message: 'The task was cancelled.',
        remedy:
          'Run the pipeline again when you want it: it goes on from, or puts right, what the log above tells.',
      }),
    );
  process.once('SIGINT', cancel);
  process.once('SIGTERM', cancel);
  return controller.signal;
}

function fileFor(folder: string, name: string, content: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name.replace(/[^\w.-]+/g, '-'));
  writeFileSync(file, content);
  return file;
}

/** https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands; area results, command publish */
function publishResults(title: string, file: string): string {
  const properties = { type: 'JUnit', mergeResults: 'false', runTitle: title, resultFiles: file };
  tl.command('results.publish', { ...properties, testRunSystem: 'Model Delivery' }, '');
  return file;
}

/** Folder for what this process leaves to the agent or to its children. */
function ownFolder(): string {
  return join(tl.getVariable('Agent.TempDirectory') ?? process.cwd(), `model-delivery-${process.pid}`);
}

function createHost(environment: Host['environment']): Host {
  const temporaryFolder = tl.getVariable('Agent.TempDirectory') ?? process.cwd();
  const documents = ownFolder();
  return {
    log,
    cancelled: cancellation(),
    temporaryFolder,
    workingFolder: tl.getVariable('System.DefaultWorkingDirectory') ?? process.cwd(),
    environment,
    input: readInput,
    variable: (name) => tl.getVariable(name) || undefined,
    pipelineVariables: () =>
      tl.getVariables().map(({ name, value, secret }) => ({ name, value: value ?? '', isSecret: secret })),
    connection: readConnection,
    once: createOnce(),
    pipelineIdentity: readPipelineIdentity,
    output: (name, value) => tl.setVariable(name, value, false, true),
    secret: registerSecret,
    summary: (title, markdown) => tl.uploadSummary(fileFor(documents, `${title}.md`, neutralise(markdown))),
    attachment: (type, name, content) =>
      tl.addAttachment(type, name, fileFor(documents, `${name}.json`, content)),
    testResults: (title, junit) => publishResults(title, fileFor(documents, `${title}.xml`, junit)),
  };
}

/** The task within the network that the agent prescribes, its children too. */
async function runWithin(
  network: Network,
  agent: AgentNetwork,
  run: (host: Host) => Promise<void>,
): Promise<void> {
  const { env } = process;
  const options = { folder: ownFolder(), environment: env, secret: registerSecret };
  const children = await childNetwork(agent, network, options);
  const host = createHost({ ...env, ...children.environment });
  try {
    await run(host);
  } catch (error) {
    throw host.cancelled.aborted ? host.cancelled.reason : await explainNetwork(error, network);
  } finally {
    children.close();
  }
}

/** `model-delivery/<version> (<task>)`; the bundle has the version in the variable's place (build/bundle.ts). */
function productOf(task: string): string {
  return `model-delivery/${process.env['MODEL_DELIVERY_VERSION'] ?? 'source'} (${task})`;
}

/** Runs a task to its one result: success, or failure with the error explained. */
export async function runTask(task: string, run: (host: Host) => Promise<void>): Promise<void> {
  try {
    const agent = readNetwork();
    const network = { ...agentNetwork(agent, process.env), userAgent: productOf(task) };
    installNetwork(network);
    await runWithin(network, agent, run);
    tl.setResult(tl.TaskResult.Succeeded, '');
  } catch (error) {
    tl.debug(neutralise(error instanceof Error ? (error.stack ?? '') : ''));
    tl.setResult(tl.TaskResult.Failed, neutralise(explain(error)));
  }
  // Sockets kept alive by a client must not hold the agent's step open; what was written must arrive, though,
  // and pipes are asynchronous on Windows.
  process.stdout.write('', () => process.exit());
}
