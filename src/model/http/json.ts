import { DeliveryError } from '../../errors.ts';
import { bodyOf } from '../storeFailure.ts';
import type { HttpAnswer } from './client.ts';
import { publicUrl } from './location.ts';

/** A JSON object. */
export type JsonNode = Readonly<Record<string, unknown>>;

/** More than this no page of an API has, in bytes. */
const largestPage = 8 * 1024 * 1024;

/** More pages than this no list has. */
export const mostPages = 10_000;

/** True for a JSON object. */
export function isNode(value: unknown): value is JsonNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects of a list; none where it is absent. */
export function nodesAt(node: JsonNode, key: string): readonly JsonNode[] {
  const value = node[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** A text; empty where it is absent. */
export function textAt(node: JsonNode, key: string): string {
  const value = node[key];
  return typeof value === 'string' ? value : '';
}

/** The server gave something else than its API promises. */
export function answerInvalid(url: URL, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_SERVER_ANSWER_INVALID',
    side: 'storage',
    message: `${publicUrl(url.href)} answered with something that cannot be used: ${problem}.`,
    remedy:
      "Check that the address is the server's own, with its path prefix if it has one; a proxy or a sign-in page in front of it answers so too.",
  });
}

/** The JSON document of an answer; undefined where it is none. Throws MODEL_SERVER_ANSWER_INVALID for one of more than 8 MiB. */
export async function jsonOf(answer: HttpAnswer, url: URL, signal: AbortSignal): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  const part = { skip: 0, take: largestPage + 1 };
  for await (const piece of bodyOf(answer.body, part, { name: publicUrl(url.href) }, signal))
    pieces.push(piece);
  if (pieces.reduce((sum, { length }) => sum + length, 0) > largestPage) {
    throw answerInvalid(url, 'it is larger than 8 MiB');
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return undefined;
  }
}
