import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { KubeObject } from '../../../src/kube/objects/objects.ts';
import {
  acceptance,
  canaryNameOf,
  hasShare,
  withoutShare,
  withShare,
} from '../../../src/kube/stages/httpRoute.ts';

interface Backend {
  readonly name: string;
  readonly weight?: number;
}

function route(rules: readonly (readonly Backend[])[], status: object = {}): KubeObject {
  return {
    ...{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' },
    metadata: { name: 'web', namespace: 'shop', generation: 2 },
    spec: { parentRefs: [{ name: 'edge' }], rules: rules.map((backendRefs) => ({ backendRefs })) },
    status,
  };
}

function backends(object: KubeObject): Backend[][] {
  return (object['spec'] as { rules: { backendRefs: Backend[] }[] }).rules.map((rule) => rule.backendRefs);
}

const names = ['web', 'other', 'docs', 'shop'];
const rule = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1 })
  .chain((chosen) =>
    fc.tuple(
      ...chosen.map((name) => fc.integer({ min: 1, max: 10_000 }).map((weight) => ({ name, weight }))),
    ),
  );

describe('The share of a canary in an HTTPRoute', () => {
  it('is the percentage of what its Service gets, and nobody else gets more or less', () => {
    const percents = fc.integer({ min: 1, max: 99 });
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 3 }), percents, (rules, percent) => {
        const divided = withShare(route(rules), ['web'], percent);
        for (const [at, before] of rules.entries()) {
          const after = backends(divided)[at] ?? [];
          const sum = (all: readonly Backend[]): number =>
            all.reduce((total, { weight }) => total + (weight ?? 1), 0);
          const part = (all: readonly Backend[], of: string): number =>
            (all.find(({ name }) => name === of)?.weight ?? 0) / sum(all);
          const canary = part(after, canaryNameOf('web'));
          const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-9, `${a} is ${b}`);
          close(canary, (part(before, 'web') * percent) / 100);
          close(part(after, 'web') + canary, part(before, 'web'));
          for (const name of names.slice(1)) close(part(after, name), part(before, name));
        }
        assert.equal(
          hasShare(divided),
          rules.some((all) => all.some(({ name }) => name === 'web')),
        );
        assert.deepEqual(backends(withoutShare(divided)), rules);
      }),
    );
  });

  it('leaves Services of the same name in other namespaces alone', () => {
    const far = { name: 'web', namespace: 'elsewhere' };
    assert.equal(hasShare(withShare(route([[far]]), ['web'], 20)), false);
  });
});

describe('An HTTPRoute is in use', () => {
  const parent = (accepted: string, generation: number): object => ({
    parents: [
      {
        parentRef: { name: 'edge' },
        conditions: ['Accepted', 'ResolvedRefs'].map((type) => ({
          ...{ type, status: type === 'Accepted' ? 'True' : accepted, observedGeneration: generation },
          ...{ reason: 'BackendNotFound', message: 'no Service web-canary' },
        })),
      },
    ],
  });
  const backend = [[{ name: 'web' }]];

  it('when its Gateway has accepted the present state and found all Services', () => {
    assert.equal(acceptance(route(backend, parent('True', 2))).accepted, true);
  });

  it('not while the Gateway speaks of an earlier state', () => {
    const { accepted, why } = acceptance(route(backend, parent('True', 1)));
    assert.equal(accepted, false);
    assert.match(why, /'edge' has not taken its newest state in/);
  });

  it('not while a Service is not found, in the words of the Gateway', () => {
    const { accepted, why } = acceptance(route(backend, parent('False', 2)));
    assert.equal(accepted, false);
    assert.match(why, /says ResolvedRefs False: no Service web-canary/);
  });

  it('not while nobody answers for it', () => {
    assert.match(acceptance(route(backend)).why, /no Gateway has answered/);
  });
});
