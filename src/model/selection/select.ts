import type { ModelStore } from '../store.ts';
import { filesNotFound, modelNotFound, versionIncomplete, versionNotFound } from './notFound.ts';
import { compareNatural } from './order.ts';
import { pathFilter } from './patterns.ts';
import { readPointer } from './pointer.ts';
import { type Scan, scanModel, scanVersion } from './scan.ts';
import { rankSemver } from './semantic.ts';
import type { Candidate, Selection, Version, VersionPolicy, Wanted } from './types.ts';
import { flatVersionName, type VersionBuilder, type VersionRules, versionBuilder } from './version.ts';

interface Search {
  readonly store: ModelStore;
  readonly wanted: Wanted;
  readonly rules: VersionRules;
  readonly signal: AbortSignal;
}

type Choice = Omit<Selection, 'model'>;

function flatChoice(builder: VersionBuilder, reason: string): Choice {
  const unnamed = builder.version('');
  const name = flatVersionName(unnamed.files);
  return {
    ...unnamed,
    version: name,
    layout: 'flat',
    reason,
    candidates: [builder.candidate(name)],
    considered: 1,
    notes: [],
  };
}

/** One blob of exactly the model's name: the shortest of the flat layouts. */
async function singleFile({ store, wanted, rules, signal }: Search): Promise<VersionBuilder> {
  const builder = versionBuilder(rules);
  for await (const stored of store.list(wanted.model, signal)) {
    // Names ascend, so the exact name is the first of those that start with it.
    if (stored.name === wanted.model)
      builder.add(stored.name.slice(stored.name.lastIndexOf('/') + 1), stored);
    break;
  }
  return builder;
}

async function flatOrMissing(search: Search, flat: VersionBuilder): Promise<Choice> {
  const builder = flat.isEmpty ? await singleFile(search) : flat;
  if (builder.isEmpty) throw await modelNotFound(search.store, search.wanted.model, search.signal);
  const unready = builder.unready();
  if (unready !== undefined) throw versionIncomplete(search.wanted, [`Its files do not count: ${unready}.`]);
  return flatChoice(
    builder,
    'the model has files and no folders of versions, so its files as they are now are its version',
  );
}

/** Says so when the choice was made by name because two versions were written in the same second. */
function tieNotes([first, second]: readonly Candidate[]): string[] {
  if (first?.newest === undefined || first.newest.getTime() !== second?.newest?.getTime()) return [];
  return [
    `Versions '${first.version}' and '${second.version}' were last written in the same second; the higher name wins.`,
  ];
}

function ignoredFlatNotes(scan: Scan): string[] {
  const { files = 0 } = scan.flat.candidate('');
  return files === 0
    ? []
    : [`${files} file(s) beside the version folders belong to no version and are ignored.`];
}

async function latestModified(search: Search): Promise<Choice> {
  const scan = await scanModel(search.store, search.wanted.model, search.rules, search.signal);
  if (scan.newest === undefined) {
    if (scan.unready.length > 0) throw versionIncomplete(search.wanted, scan.unready);
    return flatOrMissing(search, scan.flat);
  }
  return {
    ...scan.newest,
    layout: 'versions',
    reason: `its newest file, of ${scan.newest.newest.toISOString()}, is the newest of ${scan.considered} version(s)`,
    candidates: scan.candidates,
    considered: scan.considered,
    notes: [...scan.unready, ...tieNotes(scan.candidates), ...ignoredFlatNotes(scan)],
  };
}

/** The version folders by name, without listing what is in them; with the flat files' number. */
async function versionNames({ store, wanted, signal }: Search): Promise<string[]> {
  const children = await store.children(`${wanted.model}/`, signal);
  return children.filter((name) => name.endsWith('/')).map((name) => name.slice(0, -1));
}

async function chosenByName(search: Search, ranked: readonly string[], reason: string): Promise<Choice> {
  const { store, wanted, rules, signal } = search;
  const unready: string[] = [];
  for (const name of ranked) {
    const builder = await scanVersion(store, wanted.model, name, rules, signal);
    if (builder.isEmpty) continue;
    const problem = builder.unready();
    if (problem !== undefined) {
      unready.push(`Version '${name}' does not count: ${problem}.`);
      continue;
    }
    const others = ranked.slice(ranked.indexOf(name) + 1, 20).map((version) => ({ version }));
    return {
      ...builder.version(name),
      layout: 'versions',
      reason,
      candidates: [builder.candidate(name), ...others],
      considered: ranked.length,
      notes: unready,
    };
  }
  if (unready.length > 0) throw versionIncomplete(wanted, unready);
  return flatOrMissing(search, await flatFiles(search));
}

/** The files directly below the model, for a model that has no version folders. */
async function flatFiles({ store, wanted, rules, signal }: Search): Promise<VersionBuilder> {
  return (await scanModel(store, wanted.model, rules, signal)).flat;
}

async function latestName(search: Search): Promise<Choice> {
  const ranked = (await versionNames(search)).sort((a, b) => compareNatural(b, a));
  return chosenByName(search, ranked, `its name is the highest of ${ranked.length} in natural order`);
}

async function latestSemver(search: Search, range: string | undefined): Promise<Choice> {
  const names = await versionNames(search);
  const ranked = rankSemver(names, range);
  const asked = range === undefined ? 'that is a semantic version' : `in the range '${range}'`;
  if (names.length > 0 && ranked.length === 0) {
    throw versionNotFound(search.wanted, { phrase: asked, like: range ?? '1.0.0' }, names);
  }
  return chosenByName(search, ranked, `it is the highest of ${ranked.length} semantic version(s) ${asked}`);
}

/** A model that is one file, as it was under the asked versionId or snapshot, also after it was deleted. */
async function fileAsOf(
  { store, wanted, rules, signal }: Search,
  flat: VersionBuilder,
  identity: string,
): Promise<VersionBuilder | undefined> {
  const [only, ...others] = flat.version('').files;
  // Tags are of the present file: where they decide, an earlier one does not count.
  if (store.asOf === undefined || others.length > 0 || wanted.ready.tags !== undefined) return undefined;
  const name = only?.stored.name ?? wanted.model;
  const stored = await store.asOf(name, identity, signal);
  if (stored === undefined) return undefined;
  const builder = versionBuilder({ ...rules, ready: { quietSeconds: 0 } });
  builder.add(only?.path ?? name.slice(name.lastIndexOf('/') + 1), stored);
  return builder;
}

async function exact(search: Search, version: string, reason: string): Promise<Choice> {
  const { store, wanted, rules, signal } = search;
  const builder = await scanVersion(store, wanted.model, version, rules, signal);
  if (!builder.isEmpty) {
    const problem = builder.unready();
    if (problem !== undefined)
      throw versionIncomplete(wanted, [`Version '${version}' does not count: ${problem}.`]);
    const candidates = [builder.candidate(version)];
    return { ...builder.version(version), layout: 'versions', reason, candidates, considered: 1, notes: [] };
  }
  const asked = { phrase: `'${version}'`, like: version };
  const names = await versionNames(search);
  if (names.length > 0) throw versionNotFound(wanted, asked, names);
  const present = await flatFiles(search);
  const flat = present.isEmpty ? await singleFile(search) : present;
  const earlier = await fileAsOf(search, flat, version);
  if (earlier !== undefined) return { ...flatChoice(earlier, reason), reason };
  const found = await flatOrMissing(search, flat);
  if (found.version !== version) throw versionNotFound(wanted, asked, [found.version]);
  return { ...found, reason };
}

async function pointed(search: Search, pointerFile: string): Promise<Choice> {
  const { store, wanted, signal } = search;
  const version = await readPointer(store, wanted.model, pointerFile, signal);
  return exact(search, version, `the pointer '${wanted.model}/${pointerFile}' names it`);
}

function choose(search: Search, policy: VersionPolicy): Promise<Choice> {
  switch (policy.kind) {
    case 'latestModified':
      return latestModified(search);
    case 'latestName':
      return latestName(search);
    case 'latestSemver':
      return latestSemver(search, policy.range);
    case 'exact':
      return exact(search, policy.version, 'it was asked for by name');
    case 'pointer':
      return pointed(search, policy.file);
  }
}

/**
 * Finds the wanted version and pins its files, all from one listing of that version.
 * Throws MODEL_NOT_FOUND, VERSION_NOT_FOUND or FILES_NOT_FOUND with the nearest names, VERSION_INCOMPLETE, or
 * the store's error.
 */
export async function selectVersion(
  store: ModelStore,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Selection> {
  const rules = { filter: pathFilter(wanted.files), ready: wanted.ready };
  const choice = await choose({ store, wanted, rules, signal }, wanted.policy);
  const version: Version = choice;
  if (version.files.length === 0) throw filesNotFound(wanted, version);
  return { ...choice, model: wanted.model };
}
