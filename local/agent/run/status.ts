import type { ExpressionContext } from '../expressions/evaluate.ts';
import { evaluate } from '../expressions/evaluate.ts';
import { lookupOf, toBoolean, type Value } from '../expressions/values.ts';
import type { TaskResult } from '../results.ts';
import type { Variables } from '../variables.ts';
import type { Condition } from '../yaml/model.ts';
import { located } from '../yaml/scope.ts';

type StatusFunctions = ExpressionContext['statusFunctions'];

function isGood(result: TaskResult): boolean {
  return result === 'Succeeded' || result === 'SucceededWithIssues';
}

/** `succeeded()` and its like in a step's condition: they ask for the job's status so far. */
export function stepStatus(status: TaskResult): StatusFunctions {
  return {
    always: () => true,
    canceled: () => status === 'Canceled',
    failed: () => status === 'Failed',
    succeeded: () => isGood(status),
    succeededorfailed: () => isGood(status) || status === 'Failed',
  };
}

/** A job or stage that has ended, or was passed over. */
export interface EndedNode {
  readonly result: TaskResult;
  /** Output variables: `step.variable`, and for a stage `job.step.variable`. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** A node of the graph, and what has ended before it. */
export interface NodeView {
  readonly dependsOn: readonly string[];
  readonly ended: ReadonlyMap<string, EndedNode & { readonly dependsOn: readonly string[] }>;
  readonly canceled: boolean;
}

/** All that a node depends on, directly or not. */
export function ancestorsOf(view: NodeView): string[] {
  const found = new Set<string>();
  const waiting = [...view.dependsOn];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    waiting.push(...(view.ended.get(name)?.dependsOn ?? []));
  }
  return [...found];
}

/**
 * `succeeded()` and its like in the condition of a job or stage: without names they ask for everything in
 * the dependency graph before it. Source: Azure Pipelines docs, "Expressions", Job status check functions.
 */
export function nodeStatus(view: NodeView): StatusFunctions {
  const resultsOf = (names: readonly string[]): TaskResult[] => {
    const wanted = names.length > 0 ? names : ancestorsOf(view);
    return wanted.map((name) => view.ended.get(name)?.result ?? 'Skipped');
  };
  return {
    always: () => true,
    canceled: () => view.canceled,
    failed: (names) => resultsOf(names).includes('Failed'),
    succeeded: (names) => !view.canceled && resultsOf(names).every(isGood),
    succeededorfailed: (names) =>
      !view.canceled && resultsOf(names).every((result) => isGood(result) || result === 'Failed'),
  };
}

/** What `dependencies` reads: result and outputs of the direct dependencies, no others. */
export function dependenciesOf(view: NodeView): Value {
  const entries = view.dependsOn.flatMap((name) => {
    const node = view.ended.get(name);
    return node === undefined
      ? []
      : [[name, lookupOf({ result: node.result, outputs: lookupOf(node.outputs) })]];
  });
  return lookupOf(Object.fromEntries(entries) as Record<string, Value>);
}

/** Whether a condition holds; without one, `succeeded()`. Throws PIPELINE_INVALID with its place. */
export function conditionHolds(
  condition: Condition | undefined,
  variables: Variables,
  objects: Readonly<Record<string, Value>>,
  statusFunctions: StatusFunctions,
): boolean {
  if (condition === undefined) return statusFunctions['succeeded']?.([]) ?? false;
  const context = { objects: { variables: variables.lookup(), ...objects }, statusFunctions };
  return located(condition.source, 0, () => toBoolean(evaluate(condition.expression, context)));
}
