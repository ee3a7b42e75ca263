/** Status line and headers of an answer; names are in lower case. RFC 9112, sections 4 and 5. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

const headEnd = '\r\n\r\n';
const longestHead = 64 * 1024;

/** Reads an answer's head, without the empty line that ends it; undefined where it is not one of HTTP/1.1. */
export function parseHead(text: string): AnswerHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    // A folded line or a blank before the colon is how answers are smuggled.
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(line.slice(0, Math.max(colon, 0)))) return undefined;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return { status: Number(status), headers };
}

/** Gathers a head from the pieces in which it comes. */
export interface HeadReader {
  /**
   * The head and the bytes after it, once it is whole; it is undefined where it is not HTTP/1.1 or does not end.
   * Undefined while more is needed.
   */
  read(bytes: Buffer): { readonly head: AnswerHead | undefined; readonly rest: Buffer } | undefined;
}

/** A reader for one head after the other. */
export function createHeadReader(): HeadReader {
  let begun = Buffer.alloc(0);
  return {
    read(bytes) {
      const whole = begun.length === 0 ? bytes : Buffer.concat([begun, bytes]);
      const at = whole.indexOf(headEnd);
      begun = at < 0 ? Buffer.from(whole) : Buffer.alloc(0);
      if (at < 0) return whole.length > longestHead ? { head: undefined, rest: whole } : undefined;
      return { head: parseHead(whole.toString('latin1', 0, at)), rest: whole.subarray(at + headEnd.length) };
    },
  };
}

/** The body's length where the answer says it plainly: neither chunked, nor packed, nor till the end. */
export function plainLength({ headers }: AnswerHead): number | undefined {
  const length = headers.get('content-length') ?? '';
  const packed = (headers.get('content-encoding') ?? 'identity') !== 'identity';
  return headers.has('transfer-encoding') || packed || !/^\d{1,15}$/.test(length)
    ? undefined
    : Number(length);
}
