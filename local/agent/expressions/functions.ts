import { compare, equal, isLookup, toBoolean, toText, type Value } from './values.ts';

interface ExpressionFunction {
  readonly least: number;
  readonly most: number;
  readonly call: (args: readonly Value[]) => Value;
}

const many = 255;

function two(call: (left: Value, right: Value) => Value): ExpressionFunction {
  return { least: 2, most: 2, call: ([left = null, right = null]) => call(left, right) };
}

function one(call: (value: Value) => Value): ExpressionFunction {
  return { least: 1, most: 1, call: ([value = null]) => call(value) };
}

function lower(value: Value): string {
  return toText(value).toLowerCase();
}

function format(args: readonly Value[]): string {
  const [pattern = '', ...values] = args.map(toText);
  return pattern.replace(/\{\{|\}\}|\{(\d+)\}/g, (whole, index: string | undefined) =>
    index === undefined ? whole.charAt(0) : (values[Number(index)] ?? ''),
  );
}

function coalesce(args: readonly Value[]): Value {
  return args.find((value) => value !== null && value !== '') ?? null;
}

/** Source: Azure Pipelines docs, "Expressions", section Functions. `and`, `or` are lazy: see evaluate.ts. */
export const functions: Readonly<Record<string, ExpressionFunction>> = {
  not: one((value) => !toBoolean(value)),
  xor: two((left, right) => toBoolean(left) !== toBoolean(right)),
  eq: two(equal),
  ne: two((left, right) => !equal(left, right)),
  lt: two((left, right) => compare(left, right) < 0),
  le: two((left, right) => compare(left, right) <= 0),
  gt: two((left, right) => compare(left, right) > 0),
  ge: two((left, right) => compare(left, right) >= 0),
  in: {
    least: 2,
    most: many,
    call: ([value = null, ...choices]) => choices.some((choice) => equal(value, choice)),
  },
  notin: {
    least: 2,
    most: many,
    call: ([value = null, ...choices]) => !choices.some((choice) => equal(value, choice)),
  },
  contains: two((text, part) => lower(text).includes(lower(part))),
  startswith: two((text, part) => lower(text).startsWith(lower(part))),
  endswith: two((text, part) => lower(text).endsWith(lower(part))),
  coalesce: { least: 2, most: many, call: coalesce },
  format: { least: 1, most: many, call: format },
  lower: one(lower),
  upper: one((value) => toText(value).toUpperCase()),
  trim: one((value) => toText(value).trim()),
  replace: {
    least: 3,
    most: 3,
    call: ([text = null, from = null, to = null]) =>
      toText(from) === '' ? toText(text) : toText(text).replaceAll(toText(from), toText(to)),
  },
  length: one((value) => (Array.isArray(value) ? value.length : isLookup(value) ? 0 : toText(value).length)),
  iif: {
    least: 3,
    most: 3,
    call: ([condition = null, yes = null, no = null]) => (toBoolean(condition) ? yes : no),
  },
};
