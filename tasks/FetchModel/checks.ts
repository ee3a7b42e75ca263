import semver from 'semver';
import { invalidInput } from '../../src/host/inputs.ts';

/** A secret that the agent has filled in: it leaves `$(name)` as it is where the variable does not exist. */
export function checkedSecret(value: string, name: string): string {
  const variable = /^\$\(([^)]+)\)$/.exec(value)?.[1];
  if (variable === undefined) return value;
  throw invalidInput(
    name,
    `names the variable '${variable}', which this run does not have`,
    `Define the secret variable '${variable}' (or link its variable group), and authorise this pipeline for it.`,
  );
}

/** A model's path without slashes at its ends. */
export function checkedModel(value: string): string {
  const model = value.replace(/^\/+|\/+$/g, '');
  if (model !== '' && !model.includes('//')) return model;
  throw invalidInput(
    'model',
    `is '${value}'`,
    "Write the model's path in the container, for example 'risk/credit'.",
  );
}

/** One version's name: a single folder below the model. */
export function checkedVersion(value: string): string {
  const version = value.replace(/\/+$/, '');
  if (version !== '' && !version.includes('/')) return version;
  throw invalidInput('version', `is '${value}'`, "Write one version's name, without a slash.");
}

/** The pointer's path below the model. */
export function checkedPointer(value: string): string {
  const file = value.replace(/^\/+/, '');
  if (file !== '' && !file.endsWith('/')) return file;
  throw invalidInput(
    'pointerFile',
    `is '${value}'`,
    "Write a file's path below the model, for example 'latest.json'.",
  );
}

/** A range of semantic versions. https://github.com/npm/node-semver#ranges */
export function checkedRange(value: string): string {
  if (semver.validRange(value) !== null) return value;
  throw invalidInput(
    'version',
    `is '${value}'`,
    "Write a range of semantic versions, for example '^2.1' or '>=1.4 <2'.",
  );
}

/** True for what only a range is written like: `^2.1`, `~1.4`, `>=1.4 <2`, `1.x`, `1 - 2`. A folder's own name is none. */
export function isRange(value: string): boolean {
  const operators = /[\^~<>=*|]|\s-\s|(?:^|\.)[xX](?:\.|$)/;
  return operators.test(value) && semver.validRange(value) !== null;
}

/** A set digest in its one form: `sha256:` and 64 lower-case hexadecimal digits. */
export function checkedDigest(value: string): string {
  const hex = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(value)?.[1];
  if (hex !== undefined) return `sha256:${hex.toLowerCase()}`;
  throw invalidInput(
    'expectedDigest',
    `is '${value}'`,
    "Write 'sha256:' and 64 hexadecimal digits, as output modelDigest gives them.",
  );
}

/** Tags, `name=value` each. https://learn.microsoft.com/azure/storage/blobs/storage-manage-find-blobs#setting-blob-index-tags */
export function checkedTags(lines: readonly string[]): Readonly<Record<string, string>> {
  const pairs = lines.map((line) => {
    const [, name = '', value = ''] = /^([^=]+?)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name !== '') return [name, value] as const;
    throw invalidInput(
      'blobTags',
      `has the line '${line}'`,
      "Write one tag a line, for example 'stage=production'.",
    );
  });
  return Object.fromEntries(pairs);
}
