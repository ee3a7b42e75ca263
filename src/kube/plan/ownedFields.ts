import { isDeepStrictEqual } from 'node:util';
import { fieldManager } from '../api/client.ts';
import { isRecord, type KubeObject } from '../objects/objects.ts';
import { isTrace } from '../objects/trace.ts';

/**
 * A node of managedFields' fieldsV1: `f:<name>` a field, `k:<keys>` a list's item by its keys, `v:<value>` a set's
 * item, `.` the node itself; one without children stands for the whole value below it.
 * Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
type Owned = Readonly<Record<string, unknown>>;

/** The fields that this product's last apply set and that nobody has changed since; undefined when there was none. */
function ownedFields(live: KubeObject): Owned | undefined {
  const entry = (live.metadata.managedFields ?? []).find(
    (one) => one.manager === fieldManager && one.operation === 'Apply' && one.subresource === undefined,
  );
  return entry?.apiVersion === live.apiVersion && isRecord(entry.fieldsV1) ? entry.fieldsV1 : undefined;
}

/** Keys that the manifest leaves out have their defaults. */
function itemByKeys(list: readonly unknown[], keys: Owned): unknown {
  return list.find(
    (item) =>
      isRecord(item) &&
      Object.entries(keys).every(([name, value]) => item[name] === undefined || item[name] === value),
  );
}

function parsed(text: string): unknown {
  return JSON.parse(text) as unknown;
}

function sameItem(
  step: string,
  owned: unknown,
  wanted: readonly unknown[],
  live: readonly unknown[],
): boolean {
  const value = parsed(step.slice(2));
  if (step.startsWith('v:')) return wanted.includes(value) && live.includes(value);
  if (!step.startsWith('k:') || !isRecord(value)) return false;
  const item = itemByKeys(wanted, value);
  return item !== undefined && same(owned, item, itemByKeys(live, value));
}

function sameList(owned: Owned, wanted: readonly unknown[], live: unknown): boolean {
  const steps = Object.keys(owned).filter((step) => step !== '.');
  if (!Array.isArray(live) || steps.length !== wanted.length) return false;
  return steps.every((step) => sameItem(step, owned[step], wanted, live));
}

/** Names of the fields that count: the trace of a run alone is no difference. */
function namesOf(fields: readonly string[], isAnnotations: boolean): Set<string> {
  return new Set(fields.filter((name) => !(isAnnotations && isTrace(name))));
}

function sameFields(owned: Owned, wanted: Owned, live: unknown, isAnnotations: boolean): boolean {
  if (!isRecord(live)) return false;
  const steps = Object.keys(owned).filter((step) => step !== '.');
  if (steps.some((step) => !step.startsWith('f:'))) return false;
  const held = namesOf(
    steps.map((step) => step.slice(2)),
    isAnnotations,
  );
  const asked = namesOf(Object.keys(wanted), isAnnotations);
  if (held.size !== asked.size || [...asked].some((name) => !held.has(name))) return false;
  return [...asked].every((name) =>
    same(owned[`f:${name}`], wanted[name], live[name], name === 'annotations'),
  );
}

function same(owned: unknown, wanted: unknown, live: unknown, isAnnotations = false): boolean {
  if (!isRecord(owned)) return false;
  if (Object.keys(owned).length === 0) return isDeepStrictEqual(wanted, live);
  if (Array.isArray(wanted)) return sameList(owned, wanted, live);
  return isRecord(wanted) && sameFields(owned, wanted, live, isAnnotations);
}

/** What an apply sets: names and kind address the object. */
function settable(manifest: KubeObject): Owned {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = manifest;
  const { name: _name, namespace: _namespace, ...more } = metadata;
  return Object.keys(more).length === 0 ? rest : { metadata: more, ...rest };
}

/**
 * True when the live object is as applying this manifest would leave it: exactly the manifest's fields are ours
 * since the last apply, nobody has changed one of them since, and each has the manifest's value. False also where
 * that cannot be told without the kind's schema: the API server has to be asked then.
 */
export function isAsApplied(manifest: KubeObject, live: KubeObject): boolean {
  if (manifest.apiVersion !== live.apiVersion) return false;
  const owned = ownedFields(live);
  return owned !== undefined && same(owned, settable(manifest), live);
}
