import { nearest } from '../../../src/report/nearest.ts';
import { functions } from './functions.ts';
import { ExpressionError } from './lexer.ts';
import type { Expression } from './parser.ts';
import { isLookup, toBoolean, toText, type Value } from './values.ts';

/** What stands around an expression: the objects it may read and the status functions it may call. */
export interface ExpressionContext {
  /** By lower-case name: `variables`, `parameters`, `dependencies`, `stageDependencies`. */
  readonly objects: Readonly<Record<string, Value>>;
  /** By lower-case name: `succeeded`, `failed`, …; the arguments are names of jobs or stages. */
  readonly statusFunctions: Readonly<Record<string, (names: readonly string[]) => boolean>>;
}

function unknown(what: string, name: string, offset: number, known: readonly string[]): ExpressionError {
  const near = nearest(name, known, 3).join(', ');
  return new ExpressionError(
    `The expression's ${what} '${name}' is not known here`,
    offset,
    `Nearest: ${near}. Known: ${known.join(', ')}.`,
  );
}

type Call = Extract<Expression, { kind: 'call' }>;

function evaluateCall(call: Call, context: ExpressionContext): Value {
  const name = call.name.toLowerCase();
  if (name === 'and') return call.args.every((argument) => toBoolean(evaluate(argument, context)));
  if (name === 'or') return call.args.some((argument) => toBoolean(evaluate(argument, context)));
  const args = call.args.map((argument) => evaluate(argument, context));
  const status = context.statusFunctions[name];
  if (status !== undefined) return status(args.map(toText));
  const known = functions[name];
  if (known === undefined) {
    const names = ['and', 'or', ...Object.keys(functions), ...Object.keys(context.statusFunctions)];
    throw unknown('function', call.name, call.offset, names);
  }
  if (args.length < known.least || args.length > known.most) {
    const wanted = known.least === known.most ? `${known.least}` : `at least ${known.least}`;
    throw new ExpressionError(
      `${call.name} has ${args.length} argument(s)`,
      call.offset,
      `It takes ${wanted}.`,
    );
  }
  return known.call(args);
}

function evaluateIndex(object: Value, index: Value): Value {
  if (Array.isArray(object)) return object[Number(toText(index))] ?? null;
  return isLookup(object) ? object.get(toText(index)) : null;
}

/** The value of an expression. Throws {@link ExpressionError} for names and functions that are not there. */
export function evaluate(expression: Expression, context: ExpressionContext): Value {
  if (expression.kind === 'literal') return expression.value;
  if (expression.kind === 'call') return evaluateCall(expression, context);
  if (expression.kind === 'index')
    return evaluateIndex(evaluate(expression.object, context), evaluate(expression.index, context));
  const value = context.objects[expression.name.toLowerCase()];
  if (value === undefined)
    throw unknown('object', expression.name, expression.offset, Object.keys(context.objects));
  return value;
}
