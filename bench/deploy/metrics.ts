import type { Metric } from '../report.ts';

/** Requests that the API server got from the contestant, by its own count. */
export const requests = { name: 'API requests', unit: '' } as const satisfies Metric;
