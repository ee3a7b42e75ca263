import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { invalid, isRecord, readDocument } from './document.ts';

/** What a request carries. */
export interface Body {
  readonly contentType?: string;
  readonly body?: Uint8Array;
}

/** A body that lies in a file of its own, named from the golden file's folder. */
function fileBody(file: string, name: string): Buffer {
  try {
    return readFileSync(resolve(dirname(file), name));
  } catch (cause) {
    throw invalid(file, `the body's file '${name}' cannot be read`, cause);
  }
}

/** The body of a written request with its type; nothing where it has none. Throws GOLDEN_FILE_INVALID. */
export function bodyOf(file: string, request: Record<string, unknown>): Body {
  if (request['json'] !== undefined) {
    return { body: Buffer.from(JSON.stringify(request['json'])), contentType: 'application/json' };
  }
  const contentType = typeof request['contentType'] === 'string' ? request['contentType'] : undefined;
  const base64 = request['bodyBase64'];
  const bodyFile = request['file'];
  if (typeof bodyFile === 'string') {
    return { body: fileBody(file, bodyFile), contentType: contentType ?? 'application/octet-stream' };
  }
  const text = request['text'];
  if (typeof base64 === 'string') {
    return { body: Buffer.from(base64, 'base64'), contentType: contentType ?? 'application/octet-stream' };
  }
  return typeof text === 'string'
    ? { body: Buffer.from(text), contentType: contentType ?? 'text/plain' }
    : {};
}

/** `sha256:…` over all that a golden file asks: its text and the bodies in files of their own. Throws GOLDEN_FILE_INVALID. */
export function goldenDigest(file: string, text: string): string {
  const hash = createHash('sha256').update(text);
  const { cases } = readDocument(file, text);
  for (const one of Array.isArray(cases) ? cases : []) {
    const request: unknown = isRecord(one) ? one['request'] : undefined;
    const name = isRecord(request) ? request['file'] : undefined;
    if (typeof name === 'string') hash.update('\0').update(fileBody(file, name));
  }
  return `sha256:${hash.digest('hex')}`;
}
