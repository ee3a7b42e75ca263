import { createHash } from 'node:crypto';

/** The one project that the local agent works in. */
export const projectId = '00000000-0000-4000-8000-000000000001';

/** A pipeline's number, the same in every run. */
export function definitionIdOf(definitionName: string): number {
  const hash = createHash('sha256').update(definitionName.toLowerCase()).digest('hex');
  return Number.parseInt(hash.slice(0, 7), 16);
}
