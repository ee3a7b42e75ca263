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

/** What an expression may name at its place in the file. */
export interface KnownNames {
  readonly objects: readonly string[];
  readonly statusFunctions: readonly string[];
}

type Call = Extract<Expression, { kind: 'call' }>;

function checkCall(call: Call, names: KnownNames): void {
  const name = call.name.toLowerCase();
  if (names.statusFunctions.includes(name)) return;
  const lazy = name === 'and' || name === 'or' ? { least: 2, most: Number.POSITIVE_INFINITY } : undefined;
  const known = lazy ?? functions[name];
  if (known === undefined)
    throw unknown('function', call.name, call.offset, [
      'and',
      'or',
      ...Object.keys(functions),
      ...names.statusFunctions,
    ]);
  if (call.args.length >= known.least && call.args.length <= known.most) return;
  const wanted = known.least === known.most ? `${known.least}` : `at least ${known.least}`;
  throw new ExpressionError(
    `${call.name} has ${call.args.length} argument(s)`,
    call.offset,
    `It takes ${wanted}.`,
  );
}

/** Refuses what could not be evaluated, before anything runs. Throws {@link ExpressionError}. */
export function checkExpression(expression: Expression, names: KnownNames): void {
  if (expression.kind === 'call') {
    checkCall(expression, names);
    for (const argument of expression.args) checkExpression(argument, names);
  } else if (expression.kind === 'index') {
    checkExpression(expression.object, names);
    checkExpression(expression.index, names);
  } else if (expression.kind === 'name' && !names.objects.includes(expression.name.toLowerCase())) {
    throw unknown('object', expression.name, expression.offset, names.objects);
  }
}

function evaluateCall(call: Call, context: ExpressionContext): Value {
  const name = call.name.toLowerCase();
  if (name === 'and') return call.args.every((argument) => toBoolean(evaluate(argument, context)));
  if (name === 'or') return call.args.some((argument) => toBoolean(evaluate(argument, context)));
  const args = call.args.map((argument) => evaluate(argument, context));
  const status = context.statusFunctions[name];
  if (status !== undefined) return status(args.map(toText));
  const known = functions[name];
  if (known === undefined) throw unknown('function', call.name, call.offset, Object.keys(functions));
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
