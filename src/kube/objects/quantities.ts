import type { Pod } from 'kubernetes-types/core/v1.d.ts';

/** Amounts of resources by their names. */
export type Quantities = ReadonlyMap<string, number>;

const suffixes: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** The number that a quantity means, for example 0.5 for `500m`; NaN for what is none. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
export function quantity(text: string): number {
  const [, digits = '', suffix = ''] = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(text) ?? [];
  return Number(digits === '' ? Number.NaN : digits) * (suffixes[suffix] ?? Number.NaN);
}

/** What a pod's containers request together. */
export function totalRequests(pod: Pod): Quantities {
  const sums = new Map<string, number>();
  for (const { resources } of pod.spec?.containers ?? []) {
    for (const [name, text] of Object.entries(resources?.requests ?? {})) {
      sums.set(name, (sums.get(name) ?? 0) + quantity(String(text)));
    }
  }
  return sums;
}

/** The most that one of these offers of each resource. */
export function largestOf(offers: readonly Readonly<Record<string, unknown>>[]): Quantities {
  const most = new Map<string, number>();
  for (const [name, text] of offers.flatMap((offer) => Object.entries(offer))) {
    most.set(name, Math.max(most.get(name) ?? 0, quantity(String(text))));
  }
  return most;
}
