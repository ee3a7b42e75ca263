/** A forward proxy; credentials stand beside the address, so that the address can be printed. */
export interface ForwardProxy {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly username?: string;
  readonly password?: string;
  /** Who named it, for error messages, for example `the agent's proxy setting`. */
  readonly namedBy: string;
}

/** The proxy for an address; undefined where the way is direct. */
export type ChooseProxy = (url: URL) => ForwardProxy | undefined;

/** What the agent was configured with (`config --proxyurl …`). */
export interface AgentProxy {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** Regular expressions; an address that one of them meets is reached directly. */
  readonly bypass: readonly string[];
}

function proxyOf(
  address: string,
  namedBy: string,
  username?: string,
  password?: string,
): ForwardProxy | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const user = username || decodeURIComponent(url.username);
  const secret = password || decodeURIComponent(url.password);
  return {
    origin: url.origin,
    namedBy,
    ...(user === '' ? {} : { username: user }),
    ...(secret === '' ? {} : { password: secret }),
  };
}

function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

/** The machine itself, and the metadata service of a cloud's machine, are never behind a proxy. */
function isLocal(url: URL): boolean {
  const host = bareHost(url);
  return host === 'localhost' || host === '::1' || /^127\.|^169\.254\./.test(host);
}

/** The agent's list: regular expressions against the whole address, in any case; a broken one meets nothing. */
function meetsExpression(expression: string, url: URL): boolean {
  try {
    return new RegExp(expression, 'i').test(url.href);
  } catch {
    return false;
  }
}

/**
 * By the agent's setting.
 * https://learn.microsoft.com/azure/devops/pipelines/agents/proxy
 */
export function agentProxy({ url, username, password, bypass }: AgentProxy): ChooseProxy {
  const proxy = proxyOf(url, "the agent's proxy setting", username, password);
  return (asked) =>
    isLocal(asked) || bypass.some((expression) => meetsExpression(expression, asked)) ? undefined : proxy;
}

/** One entry of NO_PROXY: `*`, a host with all below it, with or without a leading dot or `*.`, and maybe a port. */
function meetsEntry(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const [, name = '', port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  const usual = url.protocol === 'https:' ? '443' : '80';
  if (port !== undefined && port !== (url.port || usual)) return false;
  const wanted = name.replace(/^\*?\./, '').toLowerCase();
  const host = bareHost(url);
  return wanted !== '' && (host === wanted || host.endsWith(`.${wanted}`));
}

/** By HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case, as curl and pip read them; lower case comes first. */
export function environmentProxy(environment: NodeJS.ProcessEnv): ChooseProxy {
  const read = (name: string): readonly [string, string] | undefined => {
    for (const key of [name.toLowerCase(), name]) {
      const value = environment[key]?.trim();
      if (value) return [key, value];
    }
    return undefined;
  };
  const named = (name: string): ForwardProxy | undefined => {
    const found = read(name) ?? read('ALL_PROXY');
    return found === undefined ? undefined : proxyOf(found[1], `the environment variable ${found[0]}`);
  };
  const [http, https] = [named('HTTP_PROXY'), named('HTTPS_PROXY')];
  const except = (read('NO_PROXY')?.[1] ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  return (url) => {
    if (isLocal(url) || except.some((entry) => meetsEntry(entry, url))) return undefined;
    return url.protocol === 'https:' ? https : http;
  };
}

/** The value of Proxy-Authorization; undefined for a proxy without user. RFC 7617. */
export function proxyAuthorization({ username, password }: ForwardProxy): string | undefined {
  if (username === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
}
