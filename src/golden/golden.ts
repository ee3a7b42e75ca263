import { readFile } from 'node:fs/promises';
import { DeliveryError } from '../errors.ts';
import { type Body, bodyOf } from './body.ts';
import { type Condition, conditionProblem, conditionProblems } from './conditions.ts';
import { invalid, isRecord, readDocument } from './document.ts';

/** One request with the answer that is expected of it. */
export interface GoldenCase extends Body {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Status expected; 200 when the file says nothing. */
  readonly status: number;
  /** Every field named here must be in the answer; undefined when only the status matters. */
  readonly expected: unknown;
  /** What must hold for single values of the answer. */
  readonly conditions?: readonly Condition[];
}

/** Requests whose answers are known. */
export interface GoldenFile {
  /** Largest difference between two numbers that still count as equal. */
  readonly tolerance: number;
  readonly cases: readonly GoldenCase[];
}

/** Answers may be written by model version; a version without answers proves nothing. */
function expectedOf(
  file: string,
  document: Record<string, unknown>,
  expected: unknown,
  version: string | undefined,
): unknown {
  if (document['model'] === undefined || !isRecord(expected)) return expected;
  if (version !== undefined && version in expected) return expected[version];
  throw new DeliveryError({
    code: 'GOLDEN_INCONCLUSIVE',
    side: 'input',
    message: `'${file}' has no answers for model version '${version ?? 'unknown'}'; it has: ${Object.keys(expected).join(', ')}.`,
    remedy:
      'Add the answers of the new version once they are approved: an unproven model is not put into production.',
  });
}

function conditionsOf(file: string, written: unknown, index: number): Pick<GoldenCase, 'conditions'> {
  if (written === undefined) return {};
  if (!Array.isArray(written)) throw invalid(file, `cases[${index}].conditions is no list`);
  for (const [place, one] of written.entries()) {
    const problem = conditionProblem(one);
    if (problem !== undefined) throw invalid(file, `cases[${index}].conditions[${place}]: ${problem}`);
  }
  return { conditions: written as readonly Condition[] };
}

function toCase(
  file: string,
  document: Record<string, unknown>,
  value: unknown,
  index: number,
  version: string | undefined,
): GoldenCase {
  const request = isRecord(value) ? value['request'] : undefined;
  if (!isRecord(value) || !isRecord(request)) throw invalid(file, `cases[${index}].request is missing`);
  const { method = 'GET', path } = request;
  if (typeof path !== 'string' || !path.startsWith('/') || typeof method !== 'string') {
    throw invalid(file, `cases[${index}].request needs a path that begins with '/'`);
  }
  const { status = 200, name = `cases[${index}]` } = value;
  if (typeof status !== 'number') throw invalid(file, `cases[${index}].status is no number`);
  return {
    name: String(name),
    method: method.toUpperCase(),
    path,
    ...bodyOf(file, request),
    status,
    expected: expectedOf(file, document, value['expected'], version),
    ...conditionsOf(file, value['conditions'], index),
  };
}

/**
 * Reads the text of a golden file, JSON or YAML, for this model version; bodies in files of their own are looked for
 * from its folder. Throws GOLDEN_FILE_INVALID or GOLDEN_INCONCLUSIVE.
 */
export function parseGolden(file: string, text: string, version: string | undefined): GoldenFile {
  const document = readDocument(file, text);
  const { cases } = document;
  if (!Array.isArray(cases) || cases.length === 0) throw invalid(file, "it has no 'cases'");
  const tolerance = document['tolerance'] ?? document['scoreTolerance'] ?? 0;
  if (typeof tolerance !== 'number' || tolerance < 0) throw invalid(file, "its 'tolerance' is no number");
  const whole = document;
  return { tolerance, cases: cases.map((value, index) => toCase(file, whole, value, index, version)) };
}

/** Reads a golden file. Throws GOLDEN_FILE_INVALID or GOLDEN_INCONCLUSIVE. */
export async function readGolden(file: string, version: string | undefined): Promise<GoldenFile> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw invalid(file, 'it cannot be read', cause);
  });
  return parseGolden(file, text, version);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** Where an answer differs from what is expected; fields that are not named in `expected` do not matter. */
export function differences(expected: unknown, actual: unknown, tolerance: number, at = '$'): string[] {
  if (typeof expected === 'number' && typeof actual === 'number') {
    const near = Math.abs(expected - actual) <= tolerance;
    return near ? [] : [`${at} is ${actual}, expected ${expected}${tolerance > 0 ? ` ± ${tolerance}` : ''}`];
  }
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((value, index) =>
      differences(value, actual[index], tolerance, `${at}[${index}]`),
    );
  }
  if (isRecord(expected) && isRecord(actual)) {
    return Object.entries(expected).flatMap(([name, value]) =>
      differences(value, actual[name], tolerance, `${at}.${name}`),
    );
  }
  return expected === actual ? [] : [`${at} is ${shown(actual)}, expected ${shown(expected)}`];
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body.trim();
  }
}

/** What is wrong with the answer to a case; empty when it is right. */
export function judge(
  golden: GoldenCase,
  answer: { readonly status: number; readonly body: string },
  tolerance: number,
): string[] {
  if (answer.status !== golden.status) {
    const body = shown(answer.body.slice(0, 200).trim());
    return [`status ${answer.status}, expected ${golden.status}: ${body}`];
  }
  const document = parsed(answer.body);
  return [
    ...(golden.expected === undefined ? [] : differences(golden.expected, document, tolerance)),
    ...(golden.conditions ?? []).flatMap((one) => conditionProblems(one, document, tolerance, differences)),
  ];
}
