import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../lib/context.ts';

interface GoldenCase {
  readonly name: string;
  readonly request: { readonly method: string; readonly path: string; readonly json: unknown };
  readonly expected: Readonly<Record<string, { readonly label: string; readonly score: number }>>;
}

interface Golden {
  readonly scoreTolerance: number;
  readonly cases: readonly GoldenCase[];
}

/** A scoring request, its answer, and whether that is the known one for the model that answered. */
export interface Prediction {
  readonly request: { readonly method: string; readonly url: string; readonly json: unknown };
  readonly status: number;
  readonly response: unknown;
  readonly modelVersion: string;
  readonly expected: { readonly label: string; readonly score: number };
  readonly right: boolean;
}

async function readGolden(): Promise<Golden> {
  const file = join(repositoryRoot, 'examples/flask-app/golden.json');
  return JSON.parse(await readFile(file, 'utf8')) as Golden;
}

function isRight(response: unknown, expected: { label: string; score: number }, tolerance: number): boolean {
  if (typeof response !== 'object' || response === null) return false;
  const { label, score } = response as { label?: unknown; score?: unknown };
  return (
    label === expected.label && typeof score === 'number' && Math.abs(score - expected.score) <= tolerance
  );
}

/** Asks the application behind the address for the answer that tells the model's versions apart. */
export async function predict(endpointUrl: string, modelVersion: string): Promise<Prediction> {
  const golden = await readGolden();
  const [known] = golden.cases;
  const expected = known?.expected[modelVersion];
  if (known === undefined || expected === undefined) {
    throw new Error(`golden.json knows no answer of model version ${modelVersion}.`);
  }
  const url = new URL(known.request.path, endpointUrl).href;
  const answer = await fetch(url, {
    method: known.request.method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(known.request.json),
    signal: AbortSignal.timeout(20_000),
  });
  const response: unknown = await answer.json();
  return {
    request: { method: known.request.method, url, json: known.request.json },
    status: answer.status,
    response,
    modelVersion,
    expected,
    right: answer.ok && isRight(response, expected, golden.scoreTolerance),
  };
}
