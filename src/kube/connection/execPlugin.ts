import { DeliveryError } from '../../errors.ts';
import { isRecord } from '../objects/objects.ts';

/** Runs a program without a shell and gives what it prints; it throws when the program fails or is not there. */
export type RunPlugin = (
  command: readonly [program: string, ...args: string[]],
  environment: Readonly<Record<string, string>>,
) => Promise<string>;

/** What a plug-in signs in with. */
export interface PluginCredential {
  readonly token?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  /** Milliseconds since 1970; without it the credential lasts as long as the task. */
  readonly expiresAt?: number;
}

/** Asked anew this long before its end: requests under way must still be answered. */
const marginMs = 60_000;

function unusable(command: string, why: string): DeliveryError {
  return new DeliveryError({
    code: 'KUBECONFIG_PLUGIN',
    side: 'identity',
    message: `The kubeconfig's plug-in '${command}' gives no credential: ${why}`,
    remedy:
      "Sign the plug-in in on the agent, or leave it out: 'connectionType: azureResourceManager' enters an AKS cluster with Entra ID without kubelogin.",
  });
}

function parsed(command: string, output: string): PluginCredential {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    // What it printed may be a token: it is not quoted.
    throw unusable(command, 'what it prints is no JSON.');
  }
  const status = isRecord(value) && isRecord(value['status']) ? value['status'] : {};
  const text = (name: string): string | undefined =>
    typeof status[name] === 'string' && status[name] !== '' ? status[name] : undefined;
  const [token, clientCertificate, clientKey] = ['token', 'clientCertificateData', 'clientKeyData'].map(text);
  if (token === undefined && clientKey === undefined) {
    throw unusable(command, 'it prints neither a token nor a client certificate.');
  }
  const expiresAt = Date.parse(text('expirationTimestamp') ?? '');
  return {
    ...(token === undefined ? {} : { token }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
  };
}

function environmentOf(exec: Readonly<Record<string, unknown>>): Record<string, string> {
  const list = Array.isArray(exec['env']) ? exec['env'].filter(isRecord) : [];
  const own = Object.fromEntries(list.map(({ name, value }) => [String(name), String(value)]));
  const { apiVersion } = exec;
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  return { ...own, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
}

/**
 * The credential of a kubeconfig's exec plug-in, asked for again before it ends; every one is registered as a secret.
 * Throws KUBECONFIG_PLUGIN. Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
export function pluginCredential(
  exec: Readonly<Record<string, unknown>>,
  run: RunPlugin,
  secret: (value: string) => void,
): () => Promise<PluginCredential> {
  const command = String(exec['command'] ?? '');
  const args = Array.isArray(exec['args']) ? exec['args'].map(String) : [];
  const ask = async (): Promise<PluginCredential> => {
    const output = await run([command, ...args], environmentOf(exec)).catch((cause: unknown) => {
      throw unusable(command, cause instanceof Error ? cause.message : String(cause));
    });
    const credential = parsed(command, output);
    for (const value of [credential.token, credential.clientKey]) if (value !== undefined) secret(value);
    return credential;
  };
  let known: Promise<PluginCredential> | undefined;
  return async () => {
    const current = await known;
    const isOver = current?.expiresAt !== undefined && current.expiresAt - marginMs < Date.now();
    if (current === undefined || isOver) known = ask();
    return known ?? ask();
  };
}
