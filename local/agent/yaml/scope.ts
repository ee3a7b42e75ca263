import { type ExpressionContext, evaluate } from '../expressions/evaluate.ts';
import { ExpressionError } from '../expressions/lexer.ts';
import { parseExpression } from '../expressions/parser.ts';
import { lookupOf, toText, type Value } from '../expressions/values.ts';
import { type Place, pipelineError, type ScalarTree } from './tree.ts';

/** What `${{ }}` can read at a place in the file: parameters, and the variables that are known before the run. */
export interface Scope {
  readonly parameters: Readonly<Record<string, Value>>;
  readonly variables: Readonly<Record<string, string>>;
}

/** The place of an expression's error: exact in plain one-line text, else where the text begins. */
export function placeWithin(scalar: ScalarTree, offset: number): Place {
  return scalar.plain ? { ...scalar.place, column: scalar.place.column + offset } : scalar.place;
}

/** Runs something that may throw an {@link ExpressionError}, and gives that error its place in the file. */
export function located<T>(scalar: ScalarTree, start: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw pipelineError(placeWithin(scalar, start + error.offset), `${error.message}.`, error.remedy);
  }
}

function scopeContext(scope: Scope): ExpressionContext {
  return {
    objects: { parameters: lookupOf(scope.parameters), variables: lookupOf(scope.variables) },
    statusFunctions: {},
  };
}

/** The text with each `${{ }}` replaced by its value in this scope. */
export function expandText(scalar: ScalarTree, scope: Scope): string {
  if (!scalar.text.includes('${{')) return scalar.text;
  const context = scopeContext(scope);
  return scalar.text.replace(/\$\{\{(.*?)\}\}/gs, (_whole, source: string, offset: number) => {
    const start = offset + 3;
    return located(scalar, start, () => toText(evaluate(parseExpression(source), context)));
  });
}
