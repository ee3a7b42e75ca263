import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DeliveryError } from '../../src/errors.ts';
import { nearest } from '../../src/report/nearest.ts';

/** One run's record beside its artifacts. */
export interface RunRecord {
  readonly definitionName: string;
  readonly buildId: number;
  readonly buildNumber: string;
  readonly sourceBranch: string;
  readonly sourceVersion: string;
  readonly result: string;
}

/** A document that a step of a run attached. */
export interface StoredAttachment {
  readonly type: string;
  /** Id of the step's record, a UUID. */
  readonly record: string;
  readonly name: string;
  content(): string;
}

/** The artifacts of all runs: `<folder>/<buildId>/{run.json, artifacts/<name>/…, attachments/…}`. */
export interface ArtifactStore {
  /** Ids of the runs, oldest first. */
  runs(): RunRecord[];
  record(run: RunRecord): void;
  /** Copies a file or folder into the artifact, and returns its folder. */
  publish(buildId: number, name: string, path: string): string;
  /** Keeps a document that a step attached. */
  attach(buildId: number, step: string, attachment: { type: string; name: string; file: string }): void;
  attachments(buildId: number): StoredAttachment[];
  /** Names of a run's artifacts. */
  list(buildId: number): string[];
  folderOf(buildId: number, name: string): string;
  /** The newest run of another pipeline that did not fail. Throws RUN_UNKNOWN, naming what there is. */
  newestRun(definitionName: string): RunRecord;
}

function artifactError(code: string, message: string, remedy: string): DeliveryError {
  return new DeliveryError({ code, side: 'agent', message, remedy });
}

function readRuns(folder: string): RunRecord[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name, 'run.json'))
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as RunRecord)
    .sort((a, b) => a.buildId - b.buildId);
}

function newestOf(runs: readonly RunRecord[], definitionName: string): RunRecord {
  const same = (run: RunRecord): boolean => run.definitionName.toLowerCase() === definitionName.toLowerCase();
  const good = (run: RunRecord): boolean =>
    run.result === 'Succeeded' || run.result === 'SucceededWithIssues';
  const found = runs.findLast((run) => same(run) && good(run));
  if (found !== undefined) return found;
  const names = [...new Set(runs.map((run) => run.definitionName))];
  throw artifactError(
    'RUN_UNKNOWN',
    `No successful run of the pipeline '${definitionName}' is kept here.`,
    names.length === 0
      ? 'Run that pipeline first.'
      : `Run it first; runs of ${nearest(definitionName, names, 3).join(', ')} are there.`,
  );
}

/** A step's record has an id that its name gives: 32 hexadecimal digits as a UUID is written. */
function recordOf(step: string): string {
  const hex = createHash('sha256').update(step).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}

/** Attachments as they lie: `<record>/<type>/<name>`. */
function readAttachments(folder: string): StoredAttachment[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const { name, parentPath } = entry;
      const record = basename(dirname(parentPath));
      const content = (): string => readFileSync(join(parentPath, name), 'utf8');
      return { type: basename(parentPath), record, name, content };
    });
}

/** A store in a folder, which is made when the first run is recorded. */
export function createArtifactStore(folder: string): ArtifactStore {
  const artifactsOf = (buildId: number): string => join(folder, String(buildId), 'artifacts');
  return {
    runs: () => readRuns(folder),
    record(run) {
      mkdirSync(join(folder, String(run.buildId)), { recursive: true });
      writeFileSync(join(folder, String(run.buildId), 'run.json'), JSON.stringify(run, undefined, 2));
    },
    publish(buildId, name, path) {
      if (!existsSync(path))
        throw artifactError(
          'ARTIFACT_PATH_MISSING',
          `There is nothing at ${path} to publish.`,
          'Check the path.',
        );
      const target = join(artifactsOf(buildId), name);
      mkdirSync(target, { recursive: true });
      cpSync(path, statSync(path).isDirectory() ? target : join(target, basename(path)), { recursive: true });
      return target;
    },
    attach(buildId, step, { type, name, file }) {
      const target = join(folder, String(buildId), 'attachments', recordOf(step), type);
      mkdirSync(target, { recursive: true });
      cpSync(file, join(target, name));
    },
    attachments: (buildId) => readAttachments(join(folder, String(buildId), 'attachments')),
    list: (buildId) => (existsSync(artifactsOf(buildId)) ? readdirSync(artifactsOf(buildId)).sort() : []),
    folderOf: (buildId, name) => join(artifactsOf(buildId), name),
    newestRun: (definitionName) => newestOf(readRuns(folder), definitionName),
  };
}

/** Removes the artifacts of a run that is started anew under the same id. */
export function clearRun(folder: string, buildId: number): void {
  rmSync(join(folder, String(buildId)), { recursive: true, force: true });
}
