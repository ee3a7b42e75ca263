/** An object of an expression: `variables`, `dependencies`, … Names are compared without regard to case. */
export interface Lookup {
  get(name: string): Value;
}

/** What an expression is made of. Source: Azure Pipelines docs, "Expressions", section Types. */
export type Value = null | boolean | number | string | readonly Value[] | Lookup;

export function isLookup(value: Value): value is Lookup {
  return typeof value === 'object' && value !== null && 'get' in value;
}

/** A lookup over a record; a name that is not there gives null. */
export function lookupOf(record: Readonly<Record<string, Value>>): Lookup {
  const byName = new Map(Object.entries(record).map(([name, value]) => [name.toLowerCase(), value]));
  return { get: (name) => byName.get(name.toLowerCase()) ?? null };
}

export function toBoolean(value: Value): boolean {
  if (value === null) return false;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'string') return value !== '';
  return true;
}

export function toText(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return value;
  return isLookup(value) ? 'Object' : 'Array';
}

/** NaN when the value is no number: a comparison with it is false. */
export function toNumber(value: Value): number {
  if (value === null || value === '') return 0;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? Number(value) : Number.NaN;
}

function castLike(model: Value, value: Value): Value {
  if (typeof model === 'string') return toText(value);
  if (typeof model === 'number') return toNumber(value);
  if (typeof model === 'boolean') return toBoolean(value);
  return value;
}

/** Equality by the left side's type; text without regard to case. */
export function equal(left: Value, right: Value): boolean {
  if (left === null) return right === null || right === '';
  const cast = castLike(left, right);
  if (typeof left === 'string' && typeof cast === 'string') return left.toLowerCase() === cast.toLowerCase();
  return left === cast;
}

/** Negative, zero or positive; NaN when the two cannot be ordered. */
export function compare(left: Value, right: Value): number {
  if (typeof left !== 'string') return toNumber(left) - toNumber(right);
  const a = left.toLowerCase();
  const b = toText(right).toLowerCase();
  return a < b ? -1 : a > b ? 1 : 0;
}
