/** A policy document as IAM keeps it; only what the policies of docs/identity/s3.md use is understood. */
export interface Policy {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Principal?: { readonly AWS?: string; readonly Federated?: string };
  readonly Condition?: { readonly StringEquals?: Readonly<Record<string, string>> };
}

/** What is asked, and of whom. */
export interface Question {
  readonly action: string;
  readonly resource?: string;
  readonly principal?: { readonly AWS?: string; readonly Federated?: string };
  /** Values that conditions compare, by key. */
  readonly context?: Readonly<Record<string, string | undefined>>;
}

function matches(pattern: string, value: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(value);
}

function admits(patterns: string | readonly string[] | undefined, value: string | undefined): boolean {
  if (patterns === undefined) return value === undefined;
  return value !== undefined && [patterns].flat().some((pattern) => matches(pattern, value));
}

function samePrincipal({ Principal }: Statement, { principal }: Question): boolean {
  return Principal?.AWS === principal?.AWS && Principal?.Federated === principal?.Federated;
}

function holds({ Condition }: Statement, { context = {} }: Question): boolean {
  return Object.entries(Condition?.StringEquals ?? {}).every(([key, value]) => context[key] === value);
}

/** True when a statement allows it. An effect or a condition that is not known here is an error. */
export function allows({ Statement }: Policy, question: Question): boolean {
  for (const { Effect, Condition = {} } of Statement) {
    const unknown = Object.keys(Condition).find((name) => name !== 'StringEquals');
    if (Effect !== 'Allow' || unknown !== undefined)
      throw new Error(`policy: ${unknown ?? Effect} is not known`);
  }
  return Statement.some(
    (statement) =>
      samePrincipal(statement, question) &&
      admits(statement.Action, question.action) &&
      admits(statement.Resource, question.resource) &&
      holds(statement, question),
  );
}
