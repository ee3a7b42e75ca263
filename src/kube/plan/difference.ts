import { isRecord, type KubeObject } from '../objects/objects.ts';
import { type Change, comparable } from './plan.ts';

const shownCharacters = 160;
const shownLines = 40;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}

/** Lists of named things (containers, ports, variables) are compared by name, others by place. */
function entriesOf(list: readonly unknown[]): Record<string, unknown> {
  const names = list.map((item) =>
    isRecord(item) && typeof item['name'] === 'string' ? item['name'] : undefined,
  );
  const isNamed = names.every((name) => name !== undefined) && new Set(names).size === names.length;
  return Object.fromEntries(
    list.map((item, index) => [isNamed ? String(names[index]) : String(index), item]),
  );
}

function children(value: unknown): { entries: Record<string, unknown>; isList: boolean } | undefined {
  if (Array.isArray(value)) return { entries: entriesOf(value), isList: true };
  return isRecord(value) ? { entries: value, isList: false } : undefined;
}

function walk(before: unknown, after: unknown, at: string): string[] {
  if (before === after) return [];
  if (before === undefined) return [`+ ${at}: ${shown(after)}`];
  if (after === undefined) return [`- ${at}: ${shown(before)}`];
  const old = children(before);
  const now = children(after);
  if (old === undefined || now === undefined || old.isList !== now.isList) {
    return [`~ ${at}: ${shown(before)} → ${shown(after)}`];
  }
  const names = new Set([...Object.keys(old.entries), ...Object.keys(now.entries)]);
  return [...names].flatMap((name) => {
    const path = old.isList ? `${at}[${name}]` : at === '' ? name : `${at}.${name}`;
    return walk(old.entries[name], now.entries[name], path);
  });
}

/** The fields of a Secret that hold its values. */
const secretFields = ['data', 'stringData'] as const;
/** Where kubectl's client-side apply keeps the whole manifest, a Secret's values with it. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** These values, each replaced by whether it changes. */
function hiddenValues(values: object, others: unknown, mark: string): Record<string, string> {
  const hide = ([name, value]: [string, unknown]): [string, string] => {
    const isSame = isRecord(others) && others[name] === value;
    return [name, isSame ? 'hidden' : mark];
  };
  return Object.fromEntries(Object.entries(values).map(hide));
}

/** A secret's values stay secret: only whether each changes is told. */
function hidden(object: KubeObject, other: KubeObject, mark: string): KubeObject {
  if (object.kind !== 'Secret') return object;
  const fields = secretFields.flatMap((field) => {
    const values = object[field];
    return isRecord(values) ? [[field, hiddenValues(values, other[field], mark)]] : [];
  });
  const { [lastApplied]: applied, ...annotations } = object.metadata.annotations ?? {};
  const copies = applied === undefined ? {} : { [lastApplied]: applied };
  const safe = { ...annotations, ...hiddenValues(copies, other.metadata.annotations, mark) };
  const metadata = { ...object.metadata, ...(object.metadata.annotations && { annotations: safe }) };
  return { ...object, metadata, ...Object.fromEntries(fields) } as KubeObject;
}

/** What an update changes, a line a field; empty for other changes. */
export function differenceLines(change: Change): string[] {
  const { action, live, planned } = change;
  if (action !== 'update' || live === undefined) return [];
  const before = comparable(hidden(live, planned, 'hidden, before'));
  const lines = walk(before, comparable(hidden(planned, live, 'hidden, after')), '');
  const more = lines.length - shownLines;
  return more > 0 ? [...lines.slice(0, shownLines), `… and ${more} more`] : lines;
}
