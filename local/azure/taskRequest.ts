/** A run request that has passed the checks, as far as a build depends on it. */
export interface BuildOrder {
  readonly image: string;
  readonly dockerfile: string;
  readonly target?: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  /** Values that no log may have. */
  readonly secrets: readonly string[];
  readonly platform: string;
  readonly source: string;
  readonly timeoutSeconds: number;
  readonly asCaller: boolean;
  readonly pool?: string;
  readonly credentials: Readonly<Record<string, { readonly username: string; readonly password: string }>>;
}

type Fields = Readonly<Record<string, unknown>>;

/** The version from which a run may act as its caller. */
export const callerVersion = '2025-03-01-preview';

const known = new Set([
  ...['type', 'imageNames', 'isPushEnabled', 'noCache', 'dockerFilePath', 'target', 'arguments', 'timeout'],
  ...['platform', 'agentConfiguration', 'sourceLocation', 'credentials', 'isArchiveEnabled'],
  ...['agentPoolName', 'logTemplate'],
]);

class Wrong extends Error {}

function check(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Wrong(problem);
}

function fields(value: unknown, name: string): Fields {
  check(typeof value === 'object' && value !== null && !Array.isArray(value), `${name} must be an object`);
  return value as Fields;
}

function text(value: unknown, name: string): string {
  check(typeof value === 'string' && value !== '', `${name} must be a text`);
  return value;
}

function argumentsOf(value: unknown): readonly { name: string; value: string; isSecret: boolean }[] {
  check(Array.isArray(value), 'arguments must be a list');
  return value.map((one: unknown) => {
    const { name, value: given, isSecret = false } = fields(one, 'arguments');
    check(typeof given === 'string' && typeof isSecret === 'boolean', 'arguments: value and isSecret');
    return { name: text(name, 'arguments.name'), value: given, isSecret };
  });
}

function platformOf(value: unknown): string {
  const { os, architecture = 'amd64', variant } = fields(value, 'platform');
  check(os === 'Linux' || os === 'Windows', 'platform.os must be Linux or Windows');
  check(['amd64', 'x86', '386', 'arm', 'arm64'].includes(String(architecture)), 'platform.architecture');
  check(variant === undefined || ['v6', 'v7', 'v8'].includes(String(variant)), 'platform.variant');
  return `${os.toLowerCase()}/${architecture}${variant === undefined ? '' : `/${variant}`}`;
}

function opaque(value: unknown): string {
  const { type, value: secret } = fields(value, 'customRegistries');
  check(type === 'Opaque', 'customRegistries: only Opaque is known here');
  return text(secret, 'customRegistries');
}

function credentialsOf(value: unknown, version: string): Pick<BuildOrder, 'asCaller' | 'credentials'> {
  const { sourceRegistry, customRegistries = {} } = fields(value, 'credentials');
  const custom = Object.entries(fields(customRegistries, 'customRegistries')).map(([host, one]) => {
    const { userName, password } = fields(one, 'customRegistries');
    return [host, { username: opaque(userName), password: opaque(password) }] as const;
  });
  const { identity } = sourceRegistry === undefined ? {} : fields(sourceRegistry, 'sourceRegistry');
  check(identity === undefined || version === callerVersion, `sourceRegistry.identity is not in ${version}`);
  check(identity === undefined || identity === '[caller]', 'sourceRegistry.identity');
  return { asCaller: identity !== undefined, credentials: Object.fromEntries(custom) };
}

function orderOf(body: Fields, version: string): BuildOrder {
  const strange = Object.keys(body).find((name) => !known.has(name));
  check(strange === undefined, `Could not find member '${strange}'`);
  check(body['type'] === 'DockerBuildRequest', 'type must be DockerBuildRequest here');
  const { imageNames, timeout = 3600, target, agentPoolName } = body;
  check(Array.isArray(imageNames) && imageNames.length === 1, 'one image name is known here');
  check(body['isPushEnabled'] === true, 'isPushEnabled must be true here');
  check(typeof timeout === 'number' && timeout >= 300 && timeout <= 28_800, 'timeout must be 300 to 28800');
  const given = argumentsOf(body['arguments'] ?? []);
  return {
    image: text(imageNames[0], 'imageNames'),
    dockerfile: text(body['dockerFilePath'], 'dockerFilePath'),
    ...(target === undefined ? {} : { target: text(target, 'target') }),
    buildArguments: Object.fromEntries(given.map(({ name, value }) => [name, value])),
    secrets: given.filter(({ isSecret }) => isSecret).map(({ value }) => value),
    platform: platformOf(body['platform']),
    source: text(body['sourceLocation'], 'sourceLocation'),
    timeoutSeconds: timeout,
    ...(agentPoolName === undefined ? {} : { pool: text(agentPoolName, 'agentPoolName') }),
    ...credentialsOf(body['credentials'] ?? {}, version),
  };
}

/**
 * Reads the body of scheduleRun; what is wrong with it as text.
 * https://learn.microsoft.com/rest/api/container-registry/registries/schedule-run#dockerbuildrequest
 */
export function readOrder(body: string, version: string): BuildOrder | string {
  try {
    return orderOf(fields(JSON.parse(body), 'the request'), version);
  } catch (error) {
    if (error instanceof Wrong || error instanceof SyntaxError) return error.message;
    throw error;
  }
}
