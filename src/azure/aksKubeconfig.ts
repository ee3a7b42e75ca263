import { parse, stringify } from 'yaml';
import { DeliveryError } from '../errors.ts';

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A kubeconfig whose users need no plug-in, and the audience that the plug-in would have asked a token for. */
export interface PlainKubeconfig {
  readonly content: string;
  /** Application id of the API server; undefined where the users bring their own credentials. */
  readonly serverId?: string;
  readonly usesPlugin: boolean;
}

/** The value after `--server-id`, in kubelogin's own two ways to write it. */
function serverIdOf(exec: Fields): string | undefined {
  const args = Array.isArray(exec['args']) ? exec['args'].map(String) : [];
  const position = args.indexOf('--server-id');
  if (position >= 0) return args[position + 1];
  return args.find((arg) => arg.startsWith('--server-id='))?.slice('--server-id='.length);
}

function pluginOf(user: Fields): { readonly serverId: string | undefined } | undefined {
  if (isFields(user['exec'])) return { serverId: serverIdOf(user['exec']) };
  const provider = user['auth-provider'];
  if (!isFields(provider)) return undefined;
  const config = isFields(provider['config']) ? provider['config'] : {};
  const id = config['apiserver-id'];
  return { serverId: typeof id === 'string' ? id : undefined };
}

function parsed(content: string): Fields {
  try {
    const value: unknown = parse(content);
    if (isFields(value)) return value;
  } catch {
    // The parser's message quotes the text, which holds keys.
  }
  throw new DeliveryError({
    code: 'AKS_ANSWER_INVALID',
    side: 'cluster',
    message: "Azure's resource manager gave a kubeconfig that cannot be read.",
    remedy: 'Run again; check that no proxy answers in its place.',
  });
}

/**
 * Takes the sign-in plug-ins (kubelogin, or the older auth-provider `azure`) out of AKS's kubeconfig: the token that
 * they would fetch is asked for directly, so no program is needed on the agent.
 * https://azure.github.io/kubelogin/concepts/aks.html
 */
export function withoutPlugins(content: string): PlainKubeconfig {
  const config = parsed(content);
  const users = Array.isArray(config['users']) ? config['users'].filter(isFields) : [];
  const plugins = users.map((entry) => (isFields(entry['user']) ? pluginOf(entry['user']) : undefined));
  const plugin = plugins.find((found) => found !== undefined);
  if (plugin === undefined) return { content, usesPlugin: false };
  const plain = users.map((entry, index) => (plugins[index] === undefined ? entry : { ...entry, user: {} }));
  return {
    content: stringify({ ...config, users: plain }),
    usesPlugin: true,
    ...(plugin.serverId === undefined ? {} : { serverId: plugin.serverId }),
  };
}
