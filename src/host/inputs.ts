import { isAbsolute, resolve } from 'node:path';
import { DeliveryError } from '../errors.ts';
import type { Host } from './host.ts';

/** How one task input is declared and read; the contract check compares it with task.json. */
export interface Field<T> {
  readonly kind: 'text' | 'lines' | 'flag' | 'choice' | 'integer' | 'path' | 'connection';
  /** Must equal `defaultValue` in task.json. */
  readonly defaultValue?: string;
  /** Allowed values of a choice. */
  readonly options?: readonly string[];
  readonly read: (host: Host, name: string) => T;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** The error for an input whose value is wrong: `problem` goes on from "Input 'x' ", without a full stop. */
export function invalidInput(name: string, problem: string, remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message: `Input '${name}' ${problem}.`,
    remedy,
  });
}

/** Free text; undefined when empty. */
export function text(): Field<string | undefined> {
  return { kind: 'text', read: (host, name) => host.input(name) };
}

/** Free text with a default. */
export function textOr(defaultValue: string): Field<string> {
  return { kind: 'text', defaultValue, read: (host, name) => host.input(name) ?? defaultValue };
}

/** One value a line; blank lines are dropped. */
export function lines(defaultValue = ''): Field<readonly string[]> {
  const split = (value: string): string[] =>
    value
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '');
  return {
    kind: 'lines',
    ...(defaultValue === '' ? {} : { defaultValue }),
    read: (host, name) => split(host.input(name) ?? defaultValue),
  };
}

/** `true` or `false`, in any case. */
export function flag(defaultValue: boolean): Field<boolean> {
  return {
    kind: 'flag',
    defaultValue: String(defaultValue),
    read: (host, name) => {
      const value = (host.input(name) ?? String(defaultValue)).toLowerCase();
      if (value === 'true' || value === 'false') return value === 'true';
      throw invalidInput(name, `is '${value}'`, "Write 'true' or 'false'.");
    },
  };
}

/** One of a few values, compared without regard to case. */
export function choice<const O extends readonly string[]>(
  options: O,
  defaultValue: O[number],
): Field<O[number]> {
  return {
    kind: 'choice',
    defaultValue,
    options,
    read: (host, name) => {
      const value = host.input(name) ?? defaultValue;
      const found = options.find((option) => option.toLowerCase() === value.toLowerCase());
      if (found !== undefined) return found;
      throw invalidInput(name, `is '${value}'`, `Choose one of: ${options.join(', ')}.`);
    },
  };
}

/** A whole number within bounds; `unit` is named in the error. */
export function integer(bounds: {
  min: number;
  max: number;
  defaultValue: number;
  unit: string;
}): Field<number> {
  return {
    kind: 'integer',
    defaultValue: String(bounds.defaultValue),
    read: (host, name) => {
      const raw = host.input(name) ?? String(bounds.defaultValue);
      const value = Number(raw);
      if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
      throw invalidInput(
        name,
        `is '${raw}'`,
        `Write a whole number of ${bounds.unit} from ${bounds.min} to ${bounds.max}.`,
      );
    },
  };
}

/**
 * A file or folder, made absolute. For an empty filePath input the agent passes its sources folder,
 * so that folder counts as "not given".
 */
export function path(): Field<string | undefined> {
  return {
    kind: 'path',
    read: (host, name) => {
      const value = host.input(name);
      if (value === undefined) return undefined;
      const absolute = isAbsolute(value) ? resolve(value) : resolve(host.workingFolder, value);
      return absolute === resolve(host.workingFolder) ? undefined : absolute;
    },
  };
}

/** The id of a service connection; undefined when none is chosen. */
export function connection(): Field<string | undefined> {
  return { kind: 'connection', read: (host, name) => host.input(name) };
}

/** Reads every declared input once. Throws INPUT_INVALID for the first that is wrong. */
export function readInputs<F extends Fields>(host: Host, fields: F): Values<F> {
  const entries = Object.entries(fields).map(([name, field]) => [name, field.read(host, name)]);
  return Object.fromEntries(entries) as Values<F>;
}

/** A value that the chosen mode needs. Throws INPUT_MISSING, naming the input as YAML writes it. */
export function required<T>(value: T | undefined, name: string, why: string): T {
  if (value !== undefined) return value;
  throw new DeliveryError({
    code: 'INPUT_MISSING',
    side: 'input',
    message: `Input '${name}' is empty, and it is needed ${why}.`,
    remedy: `Set '${name}' in the step's inputs.`,
  });
}
