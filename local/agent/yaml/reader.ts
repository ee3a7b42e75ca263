import { nearest } from '../../../src/report/nearest.ts';
import { expandText, type Scope } from './scope.ts';
import { type ListTree, type MapTree, pipelineError, type ScalarTree, type Tree } from './tree.ts';

/** The keys that one kind of map may have. */
export interface KeySet {
  /** What the map is, for messages: `a step`, `a job`. */
  readonly what: string;
  readonly known: readonly string[];
  /** Keys that Azure Pipelines knows and a local run cannot follow, with the reason. */
  readonly refused?: Readonly<Record<string, string>>;
}

export function asMap(tree: Tree, what: string): MapTree {
  if (tree.kind === 'map') return tree;
  throw pipelineError(tree.place, `${what} must be a map of keys and values.`, 'Check the indentation.');
}

export function asList(tree: Tree, what: string): ListTree {
  if (tree.kind === 'list') return tree;
  throw pipelineError(tree.place, `${what} must be a list.`, "Begin each item with '- '.");
}

export function asScalar(tree: Tree, what: string): ScalarTree {
  if (tree.kind === 'scalar') return tree;
  throw pipelineError(tree.place, `${what} must be text.`, 'Check the indentation.');
}

export function find(map: MapTree, key: string): Tree | undefined {
  return map.entries.find((entry) => entry.key === key)?.value;
}

/** Refuses template directives, keys that the run cannot follow, and keys nobody knows (with near ones). */
export function checkKeys(map: MapTree, keys: KeySet): void {
  for (const { key, keyPlace } of map.entries) {
    if (keys.known.includes(key)) continue;
    if (key.startsWith('${{'))
      throw pipelineError(
        keyPlace,
        `Template directives such as '${key}' are not supported by local runs.`,
        'Write the keys out, or use a condition.',
      );
    const reason = keys.refused?.[key];
    if (reason !== undefined)
      throw pipelineError(
        keyPlace,
        `'${key}' is not supported by local runs: ${reason}.`,
        'Leave it out here.',
      );
    const near = nearest(key, keys.known, 3).map((name) => `'${name}'`);
    throw pipelineError(
      keyPlace,
      `'${key}' is not a key of ${keys.what}.`,
      `Did you mean ${near.join(', ')}? Known keys: ${keys.known.join(', ')}.`,
    );
  }
}

/** The text of a key, `${{ }}` expanded; undefined when the key is absent. */
export function readText(map: MapTree, key: string, scope: Scope): string | undefined {
  const value = find(map, key);
  return value === undefined ? undefined : expandText(asScalar(value, `'${key}'`), scope);
}

export function readFlag(map: MapTree, key: string, scope: Scope, defaultValue: boolean): boolean {
  const value = find(map, key);
  if (value === undefined) return defaultValue;
  const text = expandText(asScalar(value, `'${key}'`), scope)
    .trim()
    .toLowerCase();
  if (text === 'true' || text === 'false') return text === 'true';
  throw pipelineError(value.place, `'${key}' is '${text}'.`, "Write 'true' or 'false'.");
}

export function readNumber(map: MapTree, key: string, scope: Scope, defaultValue: number): number {
  const value = find(map, key);
  if (value === undefined) return defaultValue;
  const text = expandText(asScalar(value, `'${key}'`), scope).trim();
  const number = Number(text);
  if (text !== '' && Number.isFinite(number) && number >= 0) return number;
  throw pipelineError(value.place, `'${key}' is '${text}'.`, 'Write a number, 0 or more.');
}

/** One text, or a list of them. */
export function readNames(map: MapTree, key: string, scope: Scope): string[] | undefined {
  const value = find(map, key);
  if (value === undefined) return undefined;
  const items = value.kind === 'list' ? value.items : [value];
  return items.map((item) => expandText(asScalar(item, `'${key}'`), scope)).filter((name) => name !== '');
}

/** A map of text to text, `${{ }}` expanded. */
export function readRecord(map: MapTree, key: string, scope: Scope): Record<string, string> {
  const value = find(map, key);
  if (value === undefined || (value.kind === 'scalar' && value.text === '')) return {};
  const entries = asMap(value, `'${key}'`).entries.map((entry) => [
    entry.key,
    expandText(asScalar(entry.value, `'${entry.key}'`), scope),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}
