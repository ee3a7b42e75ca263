import { nearest } from '../../../src/report/nearest.ts';
import { parseCondition } from './condition.ts';
import type { Shell, Step } from './model.ts';
import { asList, asMap, checkKeys, find, readFlag, readNumber, readRecord, readText } from './reader.ts';
import type { Scope } from './scope.ts';
import { type MapTree, pipelineError, type Tree } from './tree.ts';

const common = [
  'name',
  'displayName',
  'condition',
  'enabled',
  'continueOnError',
  'timeoutInMinutes',
  'retryCountOnTaskFailure',
  'env',
];
const refused = { target: 'every step runs on this machine itself' };
const checkoutKeys = ['checkout', 'clean', 'fetchDepth', 'fetchTags', 'fetchFilter', 'lfs', 'submodules'];
const checkoutMore = ['persistCredentials', 'workspaceRepo', 'sparseCheckoutDirectories'];

type Kind = (map: MapTree, scope: Scope) => Step;

function commonOf(map: MapTree, scope: Scope) {
  const name = readText(map, 'name', scope);
  const displayName = readText(map, 'displayName', scope);
  const condition = parseCondition(map, scope);
  return {
    ...(name === undefined ? {} : { name }),
    ...(displayName === undefined ? {} : { displayName }),
    ...(condition === undefined ? {} : { condition }),
    enabled: readFlag(map, 'enabled', scope, true),
    continueOnError: readFlag(map, 'continueOnError', scope, false),
    timeoutMinutes: readNumber(map, 'timeoutInMinutes', scope, 0),
    retryCount: Math.min(10, readNumber(map, 'retryCountOnTaskFailure', scope, 0)),
    env: readRecord(map, 'env', scope),
    place: map.place,
  };
}

function scriptStep(shell: Shell): Kind {
  return (map, scope) => {
    const keys = [shell, 'workingDirectory', 'failOnStderr', 'errorActionPreference', ...common];
    checkKeys(map, { what: `a '${shell}' step`, known: keys, refused });
    return {
      ...commonOf(map, scope),
      kind: 'script',
      shell,
      script: readText(map, shell, scope) ?? '',
      workingDirectory: readText(map, 'workingDirectory', scope) ?? '',
      failOnStderr: readFlag(map, 'failOnStderr', scope, false),
    };
  };
}

function checkoutStep(map: MapTree, scope: Scope): Step {
  checkKeys(map, {
    what: "a 'checkout' step",
    known: [...checkoutKeys, ...checkoutMore, ...common],
    refused,
  });
  const repository = readText(map, 'checkout', scope);
  if (repository !== 'self' && repository !== 'none')
    throw pipelineError(
      map.place,
      `Repository '${repository ?? ''}' cannot be checked out by a local run.`,
      "Supported: 'checkout: self' and 'checkout: none'.",
    );
  return { ...commonOf(map, scope), kind: 'checkout', repository };
}

/** Shorthand for a task: `publish:` is PublishPipelineArtifact@1, as the service itself expands it. */
function publishStep(map: MapTree, scope: Scope): Step {
  checkKeys(map, { what: "a 'publish' step", known: ['publish', 'artifact', ...common], refused });
  const inputs = {
    targetPath: readText(map, 'publish', scope) ?? '',
    artifact: readText(map, 'artifact', scope) ?? '',
  };
  return { ...commonOf(map, scope), kind: 'task', reference: 'PublishPipelineArtifact@1', inputs };
}

/** `$(Pipeline.Workspace)/<artifact>`, below the resource's alias when it comes from another pipeline. */
function defaultDownload(source: string, artifact: string): string {
  return ['$(Pipeline.Workspace)', source === 'current' ? '' : source, artifact].filter(Boolean).join('/');
}

function downloadStep(map: MapTree, scope: Scope): Step {
  const keys = ['download', 'artifact', 'patterns', 'path', ...common];
  checkKeys(map, { what: "a 'download' step", known: keys, refused });
  const source = readText(map, 'download', scope) ?? 'current';
  if (source === 'none') return { ...commonOf(map, scope), kind: 'noDownload' };
  const artifact = readText(map, 'artifact', scope) ?? '';
  const inputs = {
    source,
    artifact,
    itemPattern: readText(map, 'patterns', scope) ?? '',
    path: readText(map, 'path', scope) ?? defaultDownload(source, artifact),
  };
  return { ...commonOf(map, scope), kind: 'task', reference: 'DownloadPipelineArtifact@2', inputs };
}

function taskStep(map: MapTree, scope: Scope): Step {
  checkKeys(map, { what: "a 'task' step", known: ['task', 'inputs', ...common], refused });
  const reference = readText(map, 'task', scope) ?? '';
  return { ...commonOf(map, scope), kind: 'task', reference, inputs: readRecord(map, 'inputs', scope) };
}

const kinds: Readonly<Record<string, Kind>> = {
  script: scriptStep('script'),
  bash: scriptStep('bash'),
  pwsh: scriptStep('pwsh'),
  powershell: scriptStep('powershell'),
  checkout: checkoutStep,
  publish: publishStep,
  download: downloadStep,
  task: taskStep,
};
const unsupported: Readonly<Record<string, string>> = {
  template: 'step templates',
  getPackage: "'getPackage' steps",
  downloadBuild: "'downloadBuild' steps",
  reviewApp: "'reviewApp' steps",
};

function parseStep(tree: Tree, scope: Scope): Step {
  const map = asMap(tree, 'A step');
  const first = map.entries.find(({ key }) => kinds[key] !== undefined);
  const kind = first === undefined ? undefined : kinds[first.key];
  if (kind !== undefined) return kind(map, scope);
  const key = map.entries[0]?.key ?? '';
  const place = map.entries[0]?.keyPlace ?? map.place;
  const what = unsupported[key] ?? (key.startsWith('${{') ? 'template directives' : undefined);
  const names = Object.keys(kinds);
  throw what === undefined
    ? pipelineError(
        place,
        `'${key}' does not begin a step.`,
        `Nearest: ${nearest(key, names, 2).join(', ')}. Steps: ${names.join(', ')}.`,
      )
    : pipelineError(place, `Local runs do not support ${what}.`, `Write the steps out: ${names.join(', ')}.`);
}

/** The steps of `map`, in order; none when the key is absent. */
export function parseSteps(map: MapTree, scope: Scope): Step[] {
  const tree = find(map, 'steps');
  return tree === undefined ? [] : asList(tree, "'steps'").items.map((item) => parseStep(item, scope));
}
