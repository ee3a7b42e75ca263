import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { DeliveryError } from '../../../src/errors.ts';
import { goldenDigest } from '../../../src/golden/body.ts';
import { differences, judge, parseGolden } from '../../../src/golden/golden.ts';
import { trialPod } from '../../../src/kube/gate/trial.ts';
import type { KubeObject } from '../../../src/kube/objects/objects.ts';
import { differenceLines } from '../../../src/kube/plan/difference.ts';
import { withFolder } from '../../support/folder.ts';

function code(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof DeliveryError);
    return error.code;
  }
  return assert.fail('no error');
}

const byVersion = JSON.stringify({
  model: 'm',
  scoreTolerance: 0.1,
  cases: [
    {
      name: 'known',
      request: { method: 'post', path: '/score', json: { x: 1 } },
      expected: { v1: { score: 0.5 }, v2: { score: 0.9 } },
    },
  ],
});

describe('A golden file', () => {
  it('gives the answers of the deployed model version', () => {
    const { cases, tolerance } = parseGolden('g.json', byVersion, 'v2');
    assert.equal(tolerance, 0.1);
    assert.deepEqual(cases[0]?.expected, { score: 0.9 });
    assert.equal(cases[0]?.method, 'POST');
    assert.equal(Buffer.from(cases[0]?.body ?? []).toString('utf8'), '{"x":1}');
  });

  it('without answers for the version proves nothing, and that is an error', () => {
    assert.equal(
      code(() => parseGolden('g.json', byVersion, 'v3')),
      'GOLDEN_INCONCLUSIVE',
    );
    assert.equal(
      code(() => parseGolden('g.json', byVersion, undefined)),
      'GOLDEN_INCONCLUSIVE',
    );
  });

  for (const text of [
    '',
    '[]',
    '{}',
    '{"cases": []}',
    '{"cases": [{}]}',
    '{"cases": [{"request": {"path": "x"}}]}',
  ]) {
    it(`that is ${text === '' ? 'empty' : text} is refused`, () => {
      assert.equal(
        code(() => parseGolden('g.json', text, 'v1')),
        'GOLDEN_FILE_INVALID',
      );
    });
  }

  it('of the example application is read for each version that it has answers for', async () => {
    const text = await readFile(new URL('../../../examples/flask-app/golden.json', import.meta.url), 'utf8');
    assert.ok(parseGolden('golden.json', text, '3.3.0').cases.length > 0);
  });
});

describe('An answer', () => {
  it('is right when it has at least what is expected, numbers within the tolerance', () => {
    const expected = { label: 'a', scores: [0.1, 0.9] };
    assert.deepEqual(differences(expected, { label: 'a', scores: [0.11, 0.89], more: 1 }, 0.02), []);
  });

  it('that differs is shown by the place of each difference', () => {
    assert.deepEqual(differences({ label: 'a', scores: [0.1] }, { label: 'b', scores: [0.5] }, 0.02), [
      '$.label is "b", expected "a"',
      '$.scores[0] is 0.5, expected 0.1 ± 0.02',
    ]);
  });

  it('with another status is wrong whatever it says', () => {
    const golden = { name: 'n', method: 'GET', path: '/', status: 200, expected: undefined };
    assert.deepEqual(judge(golden, { status: 500, body: 'oops' }, 0), ['status 500, expected 200: "oops"']);
    assert.deepEqual(judge(golden, { status: 200, body: 'whatever' }, 0), []);
  });

  it('equals itself, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => differences(value, structuredClone(value), 0).length === 0),
    );
  });
});

describe('The difference that an update makes', () => {
  const object = (spec: unknown, more: object = {}): KubeObject =>
    ({ apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a' }, spec, ...more }) as unknown as KubeObject;
  const change = (live: KubeObject, planned: KubeObject) =>
    ({ manifest: { origin: '', object: planned }, action: 'update', live, planned }) as const;

  it('is told field by field, named list items by their names', () => {
    const live = object({ replicas: 2, containers: [{ name: 'a', image: 'x' }, { name: 'b' }] });
    const planned = object({
      replicas: 3,
      containers: [{ name: 'b' }, { name: 'a', image: 'y' }, { name: 'c' }],
    });
    assert.deepEqual(differenceLines(change(live, planned)), [
      '~ spec.replicas: 2 → 3',
      '~ spec.containers[a].image: "x" → "y"',
      '+ spec.containers[c]: {"name":"c"}',
    ]);
  });

  it("never shows a secret's value", () => {
    const secret = (value: string): KubeObject => ({
      ...object(undefined),
      kind: 'Secret',
      data: { key: value },
    });
    const lines = differenceLines(change(secret('b2xk'), secret('bmV3')));
    assert.deepEqual(lines, ['~ data.key: "hidden, before" → "hidden, after"']);
  });

  it("never shows a secret's value in the copy that kubectl keeps of the manifest", () => {
    const name = 'kubectl.kubernetes.io/last-applied-configuration';
    const secret = (annotations: Record<string, string>): KubeObject => ({
      ...object(undefined),
      kind: 'Secret',
      metadata: { name: 'a', annotations },
    });
    const copy = (value: string) => ({ [name]: `{"data":{"key":"${value}"}}`, owner: value });
    assert.deepEqual(differenceLines(change(secret(copy('b2xk')), secret(copy('bmV3')))), [
      '~ metadata.annotations.owner: "b2xk" → "bmV3"',
      `~ metadata.annotations.${name}: "hidden, before" → "hidden, after"`,
    ]);
    assert.deepEqual(differenceLines(change(secret({}), secret(copy('bmV3')))), [
      '+ metadata.annotations.owner: "bmV3"',
      `+ metadata.annotations.${name}: "hidden, after"`,
    ]);
  });
});

describe('A trial pod', () => {
  it("has the workload's containers, labels that no Service selects, and an end of its own", () => {
    const workload = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    };
    const pod = trialPod(workload, 60_000);
    assert.match(pod.metadata.name, /^web-trial-[0-9a-f]{6}$/);
    assert.deepEqual(pod.metadata.labels, { 'model-delivery/trial': 'web' });
    assert.deepEqual(pod['spec'], { containers: [{ name: 'c', image: 'i' }], activeDeadlineSeconds: 180 });
  });
});

describe('The conditions of a golden file', () => {
  const answer = { scores: [0.51, 0.2], label: 'dockerfile', items: [{ id: 1 }, { id: 2 }] };
  const problemsOf = (...conditions: readonly object[]): readonly string[] => {
    const text = JSON.stringify({ tolerance: 0.02, cases: [{ request: { path: '/' }, conditions }] });
    const { cases, tolerance } = parseGolden('g.json', text, undefined);
    const [first] = cases;
    assert.ok(first);
    return judge(first, { status: 200, body: JSON.stringify(answer) }, tolerance);
  };

  it('are for the values that a JSON path selects, numbers within their tolerance', () => {
    const met = [
      { path: '$.scores[0]', equals: 0.5 },
      { path: '$.scores[*]', atLeast: 0.2, atMost: 0.51 },
      { path: '$.label', matches: '^docker' },
      { path: '$.items[?@.id > 1]', count: 1 },
      { path: '$.error', exists: false },
      { path: '$..id', exists: true },
    ];
    assert.deepEqual(problemsOf(...met), []);
    const unmet: readonly (readonly [object, RegExp])[] = [
      [{ path: '$.scores[0]', equals: 0.5, tolerance: 0.001 }, /scores.*0\.51, expected 0\.5 ± 0\.001/],
      [{ path: '$.scores[*]', atLeast: 0.3 }, /\[1\] is 0\.2, expected at least 0\.3/],
      [{ path: '$.scores[*]', atMost: 0.3 }, /\[0\] is 0\.51, expected at most 0\.3/],
      [{ path: '$.label', matches: '^x' }, /text that matches \^x/],
      [{ path: '$.items[*]', count: 3 }, /selects 2, expected 3/],
      [{ path: '$.label', exists: false }, /is there/],
      [{ path: '$.none', equals: 1 }, /selects nothing/],
    ];
    for (const [condition, problem] of unmet) {
      const found = problemsOf(condition);
      assert.equal(found.length, 1);
      assert.match(found[0] ?? '', problem);
    }
  });

  it('are refused where they could never fail or be understood', () => {
    for (const wrong of [{ path: 'scores' }, { path: '$.a' }, { equals: 1 }, { path: '$', equal: 1 }]) {
      assert.equal(
        code(() => problemsOf(wrong)),
        'GOLDEN_FILE_INVALID',
      );
    }
  });

  it('may be written in YAML, with bodies in files beside it that count as part of it', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'golden.yaml');
      const text = [
        'tolerance: 0.1',
        'cases:',
        '  - name: an image',
        '    request: { method: POST, path: /score, file: image.png, contentType: image/png }',
        '    status: 201',
        '    conditions:',
        "      - { path: '$.score', atLeast: 0.5 }",
      ].join('\n');
      await writeFile(join(folder, 'image.png'), 'pixels');
      const [only] = parseGolden(file, text, undefined).cases;
      assert.equal(Buffer.from(only?.body ?? []).toString(), 'pixels');
      assert.deepEqual([only?.contentType, only?.status], ['image/png', 201]);
      const before = goldenDigest(file, text);
      assert.equal(goldenDigest(file, text), before);
      await writeFile(join(folder, 'image.png'), 'others');
      assert.notEqual(goldenDigest(file, text), before);
      assert.equal(
        code(() => parseGolden(file, 'cases: [unclosed', undefined)),
        'GOLDEN_FILE_INVALID',
      );
      await rm(join(folder, 'image.png'));
      assert.equal(
        code(() => parseGolden(file, text, undefined)),
        'GOLDEN_FILE_INVALID',
      );
    });
  });
});
