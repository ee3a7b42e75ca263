import { readFile } from 'node:fs/promises';
import { DeliveryError } from '../../src/errors.ts';
import { nearest } from '../../src/report/nearest.ts';

/** A service connection as the service would hand it to the agent, secrets included. */
export interface Connection {
  readonly name: string;
  /** A GUID: what a connectedService input holds when the task reads it. */
  readonly id: string;
  /** For example `dockerregistry`, `azurerm`, `kubernetes`. */
  readonly type: string;
  readonly url: string;
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, string>>;
}

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const example =
  '{ "connections": [ { "name": "registry", "id": "<guid>", "type": "dockerregistry", "url": "https://…", ' +
  '"scheme": "UsernamePassword", "parameters": { "username": "…" }, "data": {} } ] }';

function invalid(where: string, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'CONNECTIONS_INVALID',
    side: 'input',
    message: `${where}: ${problem}.`,
    remedy: `Write the file as ${example}`,
  });
}

function asRecord(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalid(where, 'must be an object');
}

function textOf(record: Record<string, unknown>, key: string, where: string): string {
  const value = record[key];
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(where, `'${key}' must be a text that is not empty`);
}

function textsOf(record: Record<string, unknown>, key: string, where: string): Record<string, string> {
  const values = asRecord(record[key] ?? {}, `${where}.${key}`);
  for (const [name, value] of Object.entries(values))
    if (typeof value !== 'string') throw invalid(`${where}.${key}`, `'${name}' must be a text`);
  return values as Record<string, string>;
}

const keys = ['name', 'id', 'type', 'url', 'scheme', 'parameters', 'data'];

function parseConnection(value: unknown, where: string): Connection {
  const record = asRecord(value, where);
  const unknown = Object.keys(record).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw invalid(where, `'${unknown}' is not a key; known are ${keys.join(', ')}`);
  const id = textOf(record, 'id', where);
  if (!guid.test(id)) throw invalid(where, `'id' must be a GUID`);
  const url = textOf(record, 'url', where);
  if (!URL.canParse(url)) throw invalid(where, `'url' must be an absolute URL`);
  return {
    name: textOf(record, 'name', where),
    id: id.toLowerCase(),
    type: textOf(record, 'type', where),
    url,
    scheme: textOf(record, 'scheme', where),
    parameters: textsOf(record, 'parameters', where),
    data: textsOf(record, 'data', where),
  };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and the text holds secrets.
    throw invalid(file, 'this is not JSON');
  }
}

/** The connections in a JSON text. Throws CONNECTIONS_INVALID; its message never quotes a value. */
export function parseConnections(text: string, file: string): Connection[] {
  const list = asRecord(parseJson(text, file), file)['connections'];
  if (!Array.isArray(list)) throw invalid(file, "'connections' must be a list");
  const connections = list.map((item, index) => parseConnection(item, `${file}, connection ${index + 1}`));
  for (const key of ['name', 'id'] as const) {
    const seen = connections.map((connection) => connection[key].toLowerCase());
    const twice = seen.find((value, index) => seen.indexOf(value) !== index);
    if (twice !== undefined) throw invalid(file, `two connections have the ${key} '${twice}'`);
  }
  return connections;
}

/** Reads the file of service connections. Throws CONNECTIONS_UNREADABLE or CONNECTIONS_INVALID. */
export async function readConnections(file: string): Promise<Connection[]> {
  try {
    return parseConnections(await readFile(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof DeliveryError) throw cause;
    throw new DeliveryError({
      code: 'CONNECTIONS_UNREADABLE',
      side: 'input',
      message: `The file of service connections, ${file}, cannot be read.`,
      remedy: 'Give its path with --connections.',
      cause,
    });
  }
}

/** The connection of that name or id, without regard to case. Throws SERVICE_CONNECTION_UNKNOWN. */
export function findConnection(
  connections: readonly Connection[],
  wanted: string,
  input: string,
): Connection {
  const key = wanted.toLowerCase();
  const found = connections.find(({ name, id }) => name.toLowerCase() === key || id === key);
  if (found !== undefined) return found;
  const near = nearest(
    wanted,
    connections.map(({ name }) => name),
    3,
  );
  throw new DeliveryError({
    code: 'SERVICE_CONNECTION_UNKNOWN',
    side: 'input',
    message: `Input '${input}' names the service connection '${wanted}', which does not exist.`,
    remedy:
      near.length === 0
        ? 'No service connections are known: give a file of them with --connections.'
        : `Nearest: ${near.join(', ')}. Add it to the file of service connections.`,
  });
}

/** Authorization parameters that the agent does not mask: all others it does, user names included. */
const publicParameters = new Set([
  'role',
  'scope',
  'tenantid',
  'issuedat',
  'expiresat',
  'audience',
  'authenticationtype',
  'authorizationtype',
  'accesstokentype',
  'accesstokenfetchingmethod',
  'usewindowssecurity',
  'unsecured',
  'oauthaccesstokenissupplied',
  'completecallbackpayload',
  'acceptuntrustedcerts',
]);

/** The values of a connection that are masked in logs. Source: azure-pipelines-agent, MaskingUtil. */
export function secretsOf(connection: Connection): string[] {
  return Object.entries(connection.parameters)
    .filter(([name]) => !publicParameters.has(name.toLowerCase()))
    .map(([, value]) => value);
}
