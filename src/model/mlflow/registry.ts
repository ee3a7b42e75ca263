import { isNode, type JsonNode, nodesAt, textAt } from '../http/json.ts';
import { compareFolders } from '../names.ts';
import { ask, askPages, type Tracking } from './api.ts';

/** A version of a registered model. */
export interface RegisteredVersion {
  /** Its number, as the registry counts. */
  readonly number: string;
  /** What it is called: its number, or the value of the tag that names versions. */
  readonly label: string;
  readonly created: Date;
}

/** The stages of registries before aliases; `None` and `Archived` name nothing that is in use. */
const stages: ReadonlySet<string> = new Set(['Production', 'Staging']);

const pageSize = '1000';

/** A name in a filter, which knows no escapes. https://mlflow.org/docs/latest/ml/search/search-models/ */
function quoted(name: string): string {
  return name.includes("'") ? `"${name}"` : `'${name}'`;
}

function tagOf(version: JsonNode, name: string): string {
  const tag = nodesAt(version, 'tags').find((one) => textAt(one, 'key') === name);
  return tag === undefined ? '' : textAt(tag, 'value');
}

/** Undefined for a version that is not registered to its end, or that has no name of the wanted kind. */
function versionOf(node: JsonNode, versionTag: string | undefined): RegisteredVersion | undefined {
  const number = textAt(node, 'version');
  const label = versionTag === undefined ? number : tagOf(node, versionTag);
  const isReady = (textAt(node, 'status') || 'READY') === 'READY';
  if (!isReady || label === '' || label.includes('/')) return undefined;
  const created = new Date(Number(node['creation_timestamp'] ?? 0));
  return { number, label, created: Number.isNaN(created.getTime()) ? new Date(0) : created };
}

async function versionNodes(tracking: Tracking, model: string, signal: AbortSignal): Promise<JsonNode[]> {
  const query = { filter: `name=${quoted(model)}`, max_results: pageSize };
  const nodes: JsonNode[] = [];
  for await (const page of askPages(tracking, 'mlflow/model-versions/search', query, signal)) {
    nodes.push(...nodesAt(page, 'model_versions'));
  }
  return nodes.sort((a, b) => Number(textAt(a, 'version')) - Number(textAt(b, 'version')));
}

/** Those that are registered whole, by label in the order of names; of two with one label the later. */
function labelled(nodes: readonly JsonNode[], versionTag: string | undefined): readonly RegisteredVersion[] {
  const versions = new Map<string, RegisteredVersion>();
  for (const node of nodes) {
    const version = versionOf(node, versionTag);
    if (version !== undefined) versions.set(version.label, version);
  }
  return [...versions.values()].sort((a, b) => compareFolders(a.label, b.label));
}

/** What a registered model has. */
export interface RegisteredModel {
  /** Its versions that are registered whole, in the order of names; none where there is no such model. */
  readonly versions: readonly RegisteredVersion[];
  /** The names of versions that aliases, and the stages Production and Staging, stand for. */
  readonly pointers: ReadonlyMap<string, string>;
}

function pointersOf(
  registered: JsonNode,
  nodes: readonly JsonNode[],
  versionTag: string | undefined,
): ReadonlyMap<string, string> {
  const labels = new Map(nodes.map((node) => [textAt(node, 'version'), versionOf(node, versionTag)?.label]));
  const inStages = nodes
    .map((node) => [textAt(node, 'current_stage'), textAt(node, 'version')] as const)
    .filter(([stage]) => stages.has(stage));
  const byAlias = nodesAt(registered, 'aliases').map(
    (alias) => [textAt(alias, 'alias'), textAt(alias, 'version')] as const,
  );
  // The last of a stage is its highest version.
  return new Map([...inStages, ...byAlias].map(([name, number]) => [name, labels.get(number) ?? number]));
}

/** A model's versions; see {@link RegisteredModel}. */
export async function versionsOf(
  tracking: Tracking,
  model: string,
  versionTag: string | undefined,
  signal: AbortSignal,
): Promise<readonly RegisteredVersion[]> {
  return labelled(await versionNodes(tracking, model, signal), versionTag);
}

/** A model's versions and what points to them, by one request more. */
export async function registeredModel(
  tracking: Tracking,
  model: string,
  versionTag: string | undefined,
  signal: AbortSignal,
): Promise<RegisteredModel> {
  const [nodes, found] = await Promise.all([
    versionNodes(tracking, model, signal),
    ask(tracking, 'mlflow/registered-models/get', { name: model }, signal),
  ]);
  const registered = found?.['registered_model'];
  return {
    versions: labelled(nodes, versionTag),
    pointers: isNode(registered) ? pointersOf(registered, nodes, versionTag) : new Map(),
  };
}

/** All registered models' names. */
export async function modelNames(tracking: Tracking, signal: AbortSignal): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const page of askPages(
    tracking,
    'mlflow/registered-models/search',
    { max_results: pageSize },
    signal,
  )) {
    names.push(...nodesAt(page, 'registered_models').map((node) => textAt(node, 'name')));
  }
  return names;
}
