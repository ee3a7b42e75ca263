import { compile, type JSONPathQuery } from 'json-p3';

/** What must hold for the values of an answer that a path selects. */
export interface Condition {
  /** RFC 9535, for example `$.scores[0]`. */
  readonly path: string;
  /** False: the path must select nothing. */
  readonly exists?: boolean;
  /** Equal to this, numbers within the tolerance. */
  readonly equals?: unknown;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Regular expression that the text must contain a match of. */
  readonly matches?: string;
  /** How many values the path must select. */
  readonly count?: number;
  /** Instead of the file's. */
  readonly tolerance?: number;
}

/** Compares a value with what is expected; where they differ. */
export type Compare = (expected: unknown, actual: unknown, tolerance: number, at: string) => string[];

const kinds: Readonly<Record<string, (value: unknown) => boolean>> = {
  path: (value) => typeof value === 'string' && queryOf(value) !== undefined,
  exists: (value) => typeof value === 'boolean',
  equals: () => true,
  atLeast: (value) => typeof value === 'number',
  atMost: (value) => typeof value === 'number',
  matches: (value) => typeof value === 'string' && isExpression(value),
  count: (value) => Number.isInteger(value),
  tolerance: (value) => typeof value === 'number' && value >= 0,
};

function queryOf(path: string): JSONPathQuery | undefined {
  try {
    return compile(path);
  } catch {
    return undefined;
  }
}

function isExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with a written condition; undefined when it can be used. */
export function conditionProblem(written: unknown): string | undefined {
  if (typeof written !== 'object' || written === null) return 'it is no object';
  const fields = Object.entries(written);
  if (!fields.some(([name]) => name === 'path')) return "it has no 'path'";
  if (!fields.some(([name]) => name !== 'path' && name !== 'tolerance')) return 'it demands nothing';
  for (const [name, value] of fields) {
    const isRight = kinds[name];
    if (isRight === undefined) {
      return `'${name.slice(0, 40)}' is none of ${Object.keys(kinds).join(', ')}`;
    }
    if (!isRight(value)) return `its '${name}' cannot be used (${JSON.stringify(value)?.slice(0, 60)})`;
  }
  return undefined;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 80);
}

function valueProblems(
  condition: Condition,
  value: unknown,
  at: string,
  tolerance: number,
  compare: Compare,
): string[] {
  const { atLeast, atMost, matches } = condition;
  const problems = 'equals' in condition ? compare(condition.equals, value, tolerance, at) : [];
  if (atLeast !== undefined && !(typeof value === 'number' && value >= atLeast - tolerance))
    problems.push(`${at} is ${shown(value)}, expected at least ${atLeast}`);
  if (atMost !== undefined && !(typeof value === 'number' && value <= atMost + tolerance))
    problems.push(`${at} is ${shown(value)}, expected at most ${atMost}`);
  if (matches !== undefined && !(typeof value === 'string' && new RegExp(matches).test(value)))
    problems.push(`${at} is ${shown(value)}, expected text that matches ${matches}`);
  return problems;
}

/** What an answer's document lacks of a condition; every value that the path selects must meet it, and one must be there. */
export function conditionProblems(
  condition: Condition,
  document: unknown,
  fileTolerance: number,
  compare: Compare,
): string[] {
  const { path, exists = true, count, tolerance = fileTolerance } = condition;
  // A JSON document has no other values than JSON's; an answer that is none is one text.
  const nodes = compile(path).query(document as Parameters<JSONPathQuery['query']>[0]).nodes;
  if (!exists) return nodes.length === 0 ? [] : [`${path} is there (${nodes.length}), expected nothing`];
  if (count !== undefined && nodes.length !== count)
    return [`${path} selects ${nodes.length}, expected ${count}`];
  if (nodes.length === 0 && count === undefined) return [`${path} selects nothing`];
  return nodes.flatMap((node) => valueProblems(condition, node.value, node.path, tolerance, compare));
}
