import { discard, type HttpClient, refusal } from '../http/client.ts';
import { answerInvalid, isNode, type JsonNode, jsonOf, mostPages } from '../http/json.ts';
import { repeated } from '../http/pinned.ts';
import type { ModelServer } from '../server.ts';
import { mlflowAdvice } from './advice.ts';

/** A tracking server, and how to ask it. */
export interface Tracking {
  readonly server: ModelServer;
  readonly client: HttpClient;
}

/**
 * One call of the REST API; undefined where the server says that it has no such resource.
 * https://mlflow.org/docs/latest/api_reference/rest-api.html
 */
export function ask(
  { server, client }: Tracking,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<JsonNode | undefined> {
  const url = new URL(`${server.url}/api/2.0/${path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return repeated(async () => {
    const answer = await client.get(url, { accept: 'application/json' }, { signal, expect: [404] });
    const value = await jsonOf(answer, url, signal).finally(() => discard(answer));
    if (answer.status === 404) {
      // Another server's 404 means that the address is wrong, not the model's name.
      if (isNode(value) && value['error_code'] !== undefined) return undefined;
      throw refusal(answer, url, mlflowAdvice(server));
    }
    if (!isNode(value)) throw answerInvalid(url, 'it is no JSON object');
    return value;
  }, signal);
}

/** All pages of a list, one call each. */
export async function* askPages(
  tracking: Tracking,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<JsonNode> {
  const address = new URL(`${tracking.server.url}/api/2.0/${path}`);
  const tokens = new Set<string>();
  let token = '';
  do {
    signal.throwIfAborted();
    const page = await ask(tracking, path, { ...query, ...(token && { page_token: token }) }, signal);
    if (page === undefined && token === '') return;
    // A part of a list must not be taken for the whole, nor may a list go on for ever.
    if (page === undefined) throw answerInvalid(address, 'a further page of its list is missing');
    if (tokens.has(token)) throw answerInvalid(address, 'its next page is one that came before');
    if (tokens.size >= mostPages) throw answerInvalid(address, `it has more than ${mostPages} pages`);
    tokens.add(token);
    yield page;
    const next = page['next_page_token'];
    token = typeof next === 'string' ? next : '';
  } while (token !== '');
}
