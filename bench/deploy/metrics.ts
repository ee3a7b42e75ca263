import type { Metric } from '../report.ts';

/** Requests that the API server gets from the contestant, counted by a proxy before it. */
export const requests = { name: 'API requests', unit: '' } as const satisfies Metric;

/** Time of the whole process without that between the Deployment's change and its last new pod's readiness. */
export const overhead = { name: 'beyond readiness', unit: 's' } as const satisfies Metric;
