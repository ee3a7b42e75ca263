import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { DeliveryError } from '../../../src/errors.ts';
import { readManifestFiles } from '../../../src/kube/manifests/manifestFiles.ts';
import { inApplyOrder, parseManifests, refuseDuplicates } from '../../../src/kube/manifests/manifests.ts';
import { withFolder } from '../../support/folder.ts';

function parse(text: string) {
  return parseManifests({ name: 'k8s/web.yaml', text });
}

function problem(work: () => unknown): DeliveryError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof DeliveryError);
    return error;
  }
  return assert.fail('no error');
}

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;

describe('Manifest text', () => {
  it('holds many documents, each with the place where it begins', () => {
    const manifests = parse(`${configMap('a')}---\n# nothing here\n---\n${configMap('b')}`);
    assert.deepEqual(
      manifests.map((one) => one.object.metadata.name),
      ['a', 'b'],
    );
    assert.match(manifests[1]?.origin ?? '', /^k8s\/web\.yaml, document 3 \(line \d+\)$/);
  });

  it('may be JSON, and a List stands for its items', () => {
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }],
    };
    const [only] = parse(JSON.stringify(list));
    assert.equal(only?.object.kind, 'Secret');
    assert.match(only?.origin ?? '', /items\[0\]/);
  });

  it('is read as Kubernetes reads it: octal modes are numbers, times and dates are text', () => {
    const [only] = parse(`${configMap('a')}mode: 0644\nstart: 12:30:45\nday: 2026-11-22\nflag: on\n`);
    assert.ok(only);
    const { mode, start, day, flag } = only.object as Record<string, unknown>;
    assert.deepEqual(
      { mode, start, day, flag },
      { mode: 420, start: '12:30:45', day: '2026-11-22', flag: true },
    );
  });

  for (const [what, text, expected] of [
    ['no kind', 'apiVersion: v1\nmetadata:\n  name: a\n', /document 1 \(line 1\): 'kind' is missing/],
    ['no name', 'apiVersion: v1\nkind: Pod\nmetadata: {}\n', /'metadata.name' is missing/],
    ['a generated name', 'apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n', /generateName/],
    ['a name that is a number', 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: 7\n', /'metadata.name'/],
    [
      'broken YAML in the second document',
      `${configMap('a')}---\na: [1\nb: 2\n`,
      /document 2 \(line \d+\): is not valid YAML/,
    ],
    [
      'a key written twice',
      'apiVersion: v1\napiVersion: v1\nkind: Pod\n',
      /not valid YAML: Map keys must be unique/,
    ],
    [
      "a Secret's number without quotes",
      'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 98765432}\n',
      /'stringData\.pin' is not text but a number\.$/,
    ],
    ['text alone', 'hello\n', /is not an object/],
  ] as const) {
    it(`with ${what} is refused with file, document and field`, () => {
      const error = problem(() => parse(text));
      assert.equal(error.code, 'MANIFEST_INVALID');
      assert.match(error.message, expected);
      assert.match(error.message, /^k8s\/web\.yaml, document/);
    });
  }

  it('whose aliases would grow without bound is refused', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`,
    );
    const error = problem(() => parse(['l0: &l0 [x, x]', ...levels].join('\n')));
    assert.equal(error.code, 'MANIFEST_INVALID');
  });

  it('gives back every object that was written as YAML', () => {
    // The writer does not quote a key `<<`, which YAML 1.1 reads as a merge.
    const value = fc.jsonValue({ maxDepth: 3 }).filter((one) => !JSON.stringify(one).includes('"<<"'));
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/), value, (name, spec) => {
        const object = { apiVersion: 'v1', kind: 'Thing', metadata: { name }, spec };
        // The writer follows YAML 1.1 too, so that a text like "on" is quoted.
        const [only] = parse(stringify(object, { version: '1.1' }));
        assert.deepEqual(JSON.stringify(only?.object), JSON.stringify(object));
      }),
      { numRuns: 200 },
    );
  });
});

describe('A set of manifests', () => {
  it('that names an object twice is refused with both places', () => {
    const error = problem(() => refuseDuplicates(parse(`${configMap('a')}---\n${configMap('a')}`)));
    assert.equal(error.code, 'MANIFEST_DUPLICATE');
    assert.match(error.message, /document 1 .* document 2/);
  });

  it('that is empty is refused', () => {
    assert.equal(problem(() => refuseDuplicates([])).code, 'MANIFESTS_EMPTY');
  });

  it('is applied in the order in which objects need each other', () => {
    const kinds = ['HorizontalPodAutoscaler', 'Deployment', 'Service', 'ConfigMap', 'Namespace'];
    const text = kinds.map((kind) => `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: a\n`).join('---\n');
    assert.deepEqual(
      inApplyOrder(parse(text)).map((one) => one.object.kind),
      [...kinds].reverse(),
    );
  });
});

describe('The manifests input', () => {
  it('takes files, folders and globs, each file once, and leaves other files alone', async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, 'k8s/base'), { recursive: true });
      for (const file of ['k8s/a.yaml', 'k8s/b.yml', 'k8s/base/c.json', 'k8s/README.md'])
        await writeFile(join(folder, file), configMap('x'));
      const names = async (...patterns: string[]) =>
        (await readManifestFiles(patterns, folder, async () => undefined)).map((file) => file.name);
      assert.deepEqual(await names('k8s'), ['k8s/a.yaml', 'k8s/b.yml']);
      assert.deepEqual(await names('k8s/a.yaml', 'k8s/**'), ['k8s/a.yaml', 'k8s/b.yml', 'k8s/base/c.json']);
      await assert.rejects(names('k8s/a.yaml', 'charts/*.yaml'), (error: unknown) => {
        assert.ok(error instanceof DeliveryError);
        assert.equal(error.code, 'MANIFESTS_NOT_FOUND');
        assert.match(error.message, /charts\/\*\.yaml/);
        return true;
      });
    });
  });
});
