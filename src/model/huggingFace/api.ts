import { DeliveryError } from '../../errors.ts';
import {
  discard,
  type HttpAdvice,
  type HttpAnswer,
  type HttpClient,
  headerOf,
  refusal,
} from '../http/client.ts';
import { answerInvalid, isNode, type JsonNode, jsonOf, mostPages } from '../http/json.ts';
import { repeated } from '../http/pinned.ts';
import type { ModelServer } from '../server.ts';

/** A hub, and how to ask it. */
export interface Hub {
  readonly server: ModelServer;
  readonly client: HttpClient;
}

/** Statuses that are explained by the hub's own code, in the header X-Error-Code. */
export const explainedStatuses: readonly number[] = [401, 403, 404];

/** What to do about a hub's refusals. */
export function hubAdvice({ authorization }: ModelServer): HttpAdvice {
  return {
    input: 'modelServer',
    missing: "Check 'modelServer' and 'model'.",
    refused:
      authorization === undefined
        ? "If the model is private, name a generic service connection with an access token (Password/Token Key) in 'modelServerConnection'. A hub says the same of a model that does not exist: check 'model', too."
        : "Check the access token of the service connection in 'modelServerConnection': it must be valid and may read the model (a fine-grained token names the repositories).",
  };
}

function gated(answer: HttpAnswer, url: URL): DeliveryError {
  const said = headerOf(answer, 'x-error-message');
  return new DeliveryError({
    code: 'MODEL_GATED',
    side: 'identity',
    message: `The model's publisher restricts who may read ${url.pathname}.${said === undefined ? '' : ` The hub says: ${said.slice(0, 300)}`}`,
    remedy:
      "Ask for access on the model's page with the account that the token in 'modelServerConnection' belongs to; a fine-grained token needs the right to read gated repositories.",
  });
}

/**
 * Throws what a refusal means: MODEL_GATED, STORAGE_FORBIDDEN, MODEL_URL_NOT_FOUND. Returns where the hub says that
 * there is no such repository, revision or file. A hub hides private repositories from strangers: to them it answers 401.
 * https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_http.py names the codes.
 */
export function requireReadable(answer: HttpAnswer, url: URL, server: ModelServer): void {
  const code = headerOf(answer, 'x-error-code');
  if (code === 'GatedRepo') throw gated(answer, url);
  const isMissing = answer.status === 404 && /^(Repo|Revision|Entry)NotFound$/.test(code ?? '');
  if (!isMissing) throw refusal(answer, url, hubAdvice(server));
}

/** A page of the API, and the address of the next one; undefined where there is no such thing. */
async function page(
  { server, client }: Hub,
  url: URL,
  signal: AbortSignal,
): Promise<{ readonly value: unknown; readonly next: URL | undefined } | undefined> {
  const headers = { accept: 'application/json' };
  const answer = await client.get(url, headers, { signal, expect: explainedStatuses });
  try {
    if (explainedStatuses.includes(answer.status)) return void requireReadable(answer, url, server);
    const next = /<([^>]+)>\s*;\s*rel="next"/.exec(headerOf(answer, 'link') ?? '')?.[1];
    const value = await jsonOf(answer, url, signal);
    return {
      value,
      next: next !== undefined && URL.canParse(next, url.href) ? new URL(next, url) : undefined,
    };
  } finally {
    discard(answer);
  }
}

/** One document of the API; undefined where there is no such thing. */
export async function askHub(hub: Hub, path: string, signal: AbortSignal): Promise<JsonNode | undefined> {
  const url = new URL(`${hub.server.url}/api/models/${path}`);
  const found = await repeated(() => page(hub, url, signal), signal);
  if (found === undefined) return undefined;
  if (!isNode(found.value)) throw answerInvalid(url, 'it is no JSON object');
  return found.value;
}

/** A part of a list must not be taken for the whole, nor may a list go on for ever. */
function requireFurther(next: URL, at: URL, asked: ReadonlySet<string>): void {
  if (next.origin !== at.origin) throw answerInvalid(at, `its next page is said to be at ${next.origin}`);
  if (asked.has(next.href)) throw answerInvalid(at, 'its next page is one that came before');
  if (asked.size >= mostPages) throw answerInvalid(at, `it has more than ${mostPages} pages`);
}

/** All entries of a list, over its pages. */
export async function listHub(hub: Hub, path: string, signal: AbortSignal): Promise<readonly JsonNode[]> {
  const entries: JsonNode[] = [];
  const asked = new Set<string>();
  let url: URL | undefined = new URL(`${hub.server.url}/api/models${path}`);
  while (url !== undefined) {
    signal.throwIfAborted();
    const at: URL = url;
    asked.add(at.href);
    const found = await repeated(() => page(hub, at, signal), signal);
    if (found === undefined && asked.size === 1) return entries;
    if (!Array.isArray(found?.value)) throw answerInvalid(at, 'it is no list');
    entries.push(...found.value.filter(isNode));
    url = found.next;
    if (url !== undefined) requireFurther(url, at, asked);
  }
  return entries;
}
