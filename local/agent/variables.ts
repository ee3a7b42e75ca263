import type { Lookup } from './expressions/values.ts';
import type { SecretMasker } from './secrets.ts';

export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly secret: boolean;
  readonly readOnly: boolean;
}

export interface VariableOptions {
  readonly secret?: boolean;
  readonly readOnly?: boolean;
}

/** The variables of a job; names are compared without regard to case. */
export interface Variables {
  /** Sets a value. What was secret or read-only stays so. */
  set(name: string, value: string, options?: VariableOptions): void;
  get(name: string): string | undefined;
  isReadOnly(name: string): boolean;
  /** All, with `$(name)` in their values expanded. */
  list(): Variable[];
  /** Replaces each `$(name)` once; a name that is not there is left as it stands. */
  expand(text: string): string;
  /** What `variables['x']` reads. */
  lookup(): Lookup;
}

const maxDepth = 50;

/**
 * Replaces `$(name)` in a text. A replaced value is not searched again, and an unknown macro is left alone:
 * that is what lets a shell script use `$(command)`. Source: azure-pipelines-agent, VarUtil.ExpandValues.
 */
export function expandMacros(text: string, valueFor: (name: string) => string | undefined): string {
  let expanded = '';
  let rest = text;
  for (;;) {
    const start = rest.indexOf('$(');
    const end = start < 0 ? -1 : rest.indexOf(')', start + 2);
    if (end < 0) return expanded + rest;
    const name = rest.slice(start + 2, end);
    const value = name === '' ? undefined : valueFor(name);
    const next = value === undefined ? start + 1 : end + 1;
    expanded += rest.slice(0, start) + (value ?? '$');
    rest = rest.slice(next);
  }
}

interface Expansion {
  readonly value: string;
  readonly secret: boolean;
}

/** A job's variables; secret values go to the masker as soon as they are known. */
export function createVariables(masker: SecretMasker): Variables {
  const byName = new Map<string, Variable>();

  /** Nested macros are followed; a circle or too deep a nesting leaves the text as it is. */
  const expansionOf = (variable: Variable, within: readonly string[]): Expansion => {
    let secret = variable.secret;
    const value = expandMacros(variable.value, (name) => {
      const key = name.toLowerCase();
      const nested = byName.get(key);
      if (nested === undefined || within.includes(key) || within.length >= maxDepth) return undefined;
      const expansion = expansionOf(nested, [...within, key]);
      secret ||= expansion.secret;
      return expansion.value;
    });
    if (secret) masker.add(value);
    return { value, secret };
  };
  const find = (name: string): (Variable & Expansion) | undefined => {
    const key = name.toLowerCase();
    const variable = byName.get(key);
    return variable === undefined ? undefined : { ...variable, ...expansionOf(variable, [key]) };
  };

  return {
    set(name, value, options = {}) {
      const key = name.toLowerCase();
      const before = byName.get(key);
      const secret = (options.secret ?? false) || (before?.secret ?? false);
      if (secret) masker.add(value);
      const readOnly = (options.readOnly ?? false) || (before?.readOnly ?? false);
      byName.set(key, { name: before?.name ?? name, value, secret, readOnly });
    },
    get: (name) => find(name)?.value,
    isReadOnly: (name) => byName.get(name.toLowerCase())?.readOnly ?? false,
    list: () => [...byName.keys()].flatMap((key) => find(key) ?? []),
    expand: (text) => expandMacros(text, (name) => find(name)?.value),
    lookup: () => ({ get: (name) => find(name)?.value ?? null }),
  };
}

/** A variable's name as an environment variable: `Build.BuildId` is `BUILD_BUILDID`. */
export function environmentName(name: string): string {
  return name.replace(/[. ]/g, '_').toUpperCase();
}
