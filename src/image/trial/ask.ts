import { request } from 'undici';
import { within } from '../../deadline.ts';
import { type GoldenCase, type GoldenFile, judge } from '../../golden/golden.ts';

/** How one golden request went. */
export interface CaseResult {
  readonly name: string;
  /** `POST /score` */
  readonly request: string;
  readonly seconds: number;
  /** What was wrong with the answer; empty when it was as expected. */
  readonly problems: readonly string[];
}

/** A request that takes longer has no answer. */
export const longestAnswerSeconds = 60;
const largestAnswer = 1024 * 1024;

async function answerTo(
  address: string,
  golden: GoldenCase,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const { method, path, contentType, body } = golden;
  const response = await request(`http://${address}${path}`, {
    method: method as 'GET',
    headers: contentType === undefined ? {} : { 'content-type': contentType },
    body: body ?? null,
    signal: within(longestAnswerSeconds * 1000, signal),
  });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > largestAnswer) throw new Error(`the answer is larger than ${largestAnswer} bytes`);
    parts.push(part);
  }
  return { status: response.statusCode, body: Buffer.concat(parts).toString('utf8') };
}

async function problemsOf(
  address: string,
  golden: GoldenCase,
  tolerance: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return judge(golden, await answerTo(address, golden, signal), tolerance);
  } catch (error) {
    signal.throwIfAborted();
    return [`no answer: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Sends the golden requests one after the other and compares their answers. */
export async function askAll(
  address: string,
  golden: GoldenFile,
  signal: AbortSignal,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of golden.cases) {
    const started = performance.now();
    const problems = await problemsOf(address, one, golden.tolerance, signal);
    const seconds = (performance.now() - started) / 1000;
    results.push({ name: one.name, request: `${one.method} ${one.path}`, seconds, problems });
  }
  return results;
}
