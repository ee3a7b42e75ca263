import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { deliverModel } from '../../src/model/deliver.ts';
import {
  type Delivered,
  type DeliveryContext,
  type DeliveryPlan,
  knownHash,
} from '../../src/model/delivery.ts';
import { createLock, type ModelLock } from '../../src/model/lock.ts';
import { openStore } from '../../src/model/open.ts';
import { type Comparison, findBaseline } from '../../src/model/previous/compare.ts';
import { lockAttachment } from '../../src/model/previous/lastRun.ts';
import { askDigests, requireKnownDigests } from '../../src/model/required.ts';
import { recordResolved } from '../../src/model/resolve.ts';
import { selectVersion } from '../../src/model/selection/select.ts';
import type { Selection } from '../../src/model/selection/types.ts';
import { requireSignature, withSignature } from '../../src/model/signature/check.ts';
import type { ModelStore, StoredFile } from '../../src/model/store.ts';
import { lockPath } from '../../src/model/target/paths.ts';
import { formatBytes } from '../../src/report/format.ts';
import { earlierOf, judge, keepForNextRun, type Verdict } from './earlier.ts';
import { type FetchInputs, readFetchInputs } from './inputs.ts';
import { explainSelection, summaryOf } from './report.ts';

/** The version as a lock; what an earlier run learned of the same source files is known of these too. */
function resolvedLock(store: ModelStore, selection: Selection, { baseline }: Comparison): ModelLock {
  const earlier = (baseline?.locks ?? []).flatMap(({ files }) => files);
  const lock = createLock({
    name: selection.model,
    version: selection.version,
    source: store.source,
    files: selection.files.map(({ path, stored }) => ({
      path,
      size: stored.size,
      etag: stored.etag,
      ...(stored.versionId !== undefined && { versionId: stored.versionId }),
      ...(stored.snapshot !== undefined && { snapshot: stored.snapshot }),
      name: stored.name,
      ...(stored.sha256 !== undefined && { sha256: stored.sha256 }),
    })),
  });
  const files = lock.files.map((file) => {
    const sha256 = knownHash(file, earlier);
    return sha256 === undefined ? file : { ...file, sha256 };
  });
  return createLock({ ...lock, files });
}

/** What the store tells of its files, by their paths; those of which it does not are left out. */
function byPath<T>(
  { files }: Selection,
  tell: (stored: StoredFile) => T | undefined,
): ReadonlyMap<string, T> {
  const told = new Map<string, T>();
  for (const { path, stored } of files) {
    const value = tell(stored);
    if (value !== undefined) told.set(path, value);
  }
  return told;
}

function planOf(inputs: FetchInputs, resolved: ModelLock, selection: Selection): DeliveryPlan {
  return {
    resolved,
    md5: byPath(selection, ({ md5 }) => md5),
    checksums: byPath(selection, ({ checksum }) => checksum),
    archived: byPath(selection, ({ archived }) => archived),
    whole: new Set(selection.files.filter(({ stored }) => stored.whole).map(({ path }) => path)),
    folder: inputs.targetFolder,
    scan: inputs.scan,
    ...(inputs.cache !== undefined && { cache: inputs.cache }),
    ...(inputs.expectedDigest !== undefined && { expectedDigest: inputs.expectedDigest }),
  };
}

function setOutputs(host: Host, inputs: FetchInputs, { delivered: { lock }, verdict }: Outcome): void {
  host.output('modelPath', inputs.mode === 'download' ? inputs.targetFolder : '');
  host.output('modelName', lock.name);
  host.output('modelVersion', lock.version);
  host.output('modelDigest', lock.digest ?? '');
  host.output('modelSize', String(lock.size));
  host.output('modelChanged', String(verdict.changed));
  host.output('modelLock', lockPath(inputs.targetFolder));
}

function sayResult(host: Host, inputs: FetchInputs, { delivered, verdict }: Outcome): void {
  const { lock, fetchedBytes, reusedBytes } = delivered;
  const model = `${lock.name} ${lock.version}`;
  if (inputs.mode === 'resolve') {
    host.log.info(`Resolved ${model}, ${formatBytes(lock.size)}; mode resolve moves no bytes.`);
  } else if (fetchedBytes === 0 && lock.size > 0) {
    host.log.info(
      `Nothing to fetch: ${inputs.targetFolder} already holds ${model}, verified; no bytes moved.`,
    );
  } else {
    host.log.info(
      `${model} is in ${inputs.targetFolder}: ${formatBytes(fetchedBytes)} fetched, ${formatBytes(reusedBytes)} already there.`,
    );
  }
  host.log.info(`Digest: ${lock.digest ?? 'not known before the files are read'}`);
  for (const note of verdict.notes) host.log.info(note);
  host.log.info(`Model ${verdict.changed ? 'changed' : 'unchanged'}: ${verdict.why}.`);
}

/** One choice and what became of it. */
interface Outcome {
  readonly selection: Selection;
  readonly delivered: Delivered;
  /** Who signed the version; absent when no signature was verified. */
  readonly signer?: string;
  readonly verdict: Verdict;
}

/** The version to bring, with every digest that is known before. */
async function planFor(inputs: FetchInputs, chosen: Selection, task: Task): Promise<DeliveryPlan> {
  const { store, signal, comparison } = task;
  const before = await comparison;
  const listed = new Map(resolvedLock(store, chosen, before).files.map(({ path, sha256 }) => [path, sha256]));
  const isKnown = (path: string) => listed.get(path) !== undefined;
  const asked = inputs.requireDigest || inputs.mode === 'download';
  const files = asked
    ? await askDigests(store, chosen.files, isKnown, inputs.requireDigest, signal)
    : chosen.files;
  const selection = { ...chosen, files };
  const plan = planOf(inputs, resolvedLock(store, selection, before), selection);
  if (inputs.requireDigest) {
    const model = `model '${plan.resolved.name}', version '${plan.resolved.version}'`;
    const reads = inputs.mode === 'download';
    requireKnownDigests(model, { ...plan, files: plan.resolved.files, reads });
  }
  return plan;
}

/** What every step of the task works with. */
interface Task extends DeliveryContext {
  /** Under way since the task began, beside the listing of the store. */
  readonly comparison: Promise<Comparison>;
}

async function chooseAndBring(host: Host, inputs: FetchInputs, task: Task): Promise<Outcome> {
  const wanted = withSignature(inputs.wanted, inputs.signature);
  const chosen = await selectVersion(task.store, wanted, task.signal);
  for (const line of explainSelection(chosen)) host.log.info(line);
  const { selection, signer } = await requireSignature(chosen, wanted, inputs.signature, task);
  const plan = await planFor(inputs, selection, task);
  if (inputs.mode === 'resolve' && plan.archived !== undefined && plan.archived.size > 0) {
    host.log.warning(
      `${plan.archived.size} file(s) are in the archive tier: a registry that has them can use this lock, nobody can read them.`,
    );
  }
  const delivered =
    inputs.mode === 'download' ? await deliverModel(plan, task) : await recordResolved(plan, task);
  const verdict = judge(await task.comparison, delivered);
  return { selection, delivered, verdict, ...(signer !== undefined && { signer }) };
}

/** Choices that are made when each is overwritten before it has arrived. */
const mostChoices = 3;

/** Chooses anew when the chosen version is overwritten meanwhile, if the user wants that: never a mixture. */
async function settle(host: Host, inputs: FetchInputs, task: Task): Promise<Outcome> {
  for (let choices = 1; ; choices += 1) {
    try {
      return await chooseAndBring(host, inputs, task);
    } catch (error) {
      const changed = error instanceof DeliveryError && error.code === 'MODEL_CHANGED';
      if (!changed || inputs.onChange === 'fail' || choices >= mostChoices) throw error;
      host.log.info(`${error.message} Choosing anew.`);
    }
  }
}

/** Resolves the model to one version, then brings it to the target folder or only records it. */
export async function run(host: Host): Promise<void> {
  const started = performance.now();
  const inputs = readFetchInputs(host);
  const store = await openStore(inputs.source, host.cancelled);
  host.log.info(`Looking for model '${inputs.wanted.model}' in ${store.source.url}`);
  const earlier = earlierOf(host, inputs, store.source);
  const comparison = findBaseline(earlier);
  comparison.catch(() => undefined);
  const task = { store, log: host.log, signal: host.cancelled, comparison };
  const outcome = await settle(host, inputs, task);
  const { delivered } = outcome;

  for (const { file, text } of delivered.findings) host.log.warning(`'${file}' ${text}.`);
  sayResult(host, inputs, outcome);
  setOutputs(host, inputs, outcome);
  const seconds = (performance.now() - started) / 1000;
  host.summary('Fetch model', summaryOf({ ...outcome, mode: inputs.mode, seconds }));
  host.attachment(lockAttachment, 'model', JSON.stringify(delivered.lock));
  await keepForNextRun(host, earlier, delivered.lock);
}
