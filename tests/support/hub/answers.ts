import type { IncomingMessage, ServerResponse } from 'node:http';

/** A refusal as the hub words it: the code in a header, too. */
export interface Refusal {
  readonly status: number;
  readonly code?: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers with JSON. */
export function answerJson(
  response: ServerResponse,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(value));
}

/** Refuses, with the reason in headers and body. */
export function refuse(response: ServerResponse, { status, code, message, headers = {} }: Refusal): void {
  const told = { ...(code !== undefined && { 'x-error-code': code }), 'x-error-message': message };
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...told, ...headers });
  response.end(JSON.stringify({ error: message }));
}

/** Bytes, or the one range of them that is asked for. RFC 9110, section 14. */
export function answerBytes(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  headers: Readonly<Record<string, string>>,
): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined) {
    response.writeHead(200, { ...headers, 'content-length': content.length, 'accept-ranges': 'bytes' });
    response.end(content);
    return;
  }
  const start = Number(first);
  const end = Math.min(last ? Number(last) : content.length - 1, content.length - 1);
  if (start > end) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const range = { 'content-range': `bytes ${start}-${end}/${content.length}` };
  response.writeHead(206, { ...headers, ...range, 'content-length': end + 1 - start });
  response.end(content.subarray(start, end + 1));
}
