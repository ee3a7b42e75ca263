import { DeliveryError } from '../../errors.ts';
import type { EngineName } from '../builder.ts';

/** An engine that may build a Dockerfile here. */
export interface EngineCandidate<E extends EngineName> {
  readonly engine: E;
  /** What it was found by, or why it cannot be used here. */
  readonly look: () => Promise<{ readonly found: string } | { readonly missing: string }>;
}

/**
 * The first candidate that can be used here, and why it was chosen, for the log. Throws ENGINE_MISSING with what was
 * looked for.
 */
export async function chooseEngine<E extends EngineName>(
  candidates: readonly EngineCandidate<E>[],
): Promise<{ readonly engine: E; readonly why: string }> {
  const passed: string[] = [];
  for (const { engine, look } of candidates) {
    const seen = await look();
    if ('missing' in seen) passed.push(`${engine}: ${seen.missing}`);
    else {
      const before = passed.length === 0 ? '' : ` (${passed.join('; ')})`;
      return { engine, why: `because there is a 'dockerfile' and ${seen.found}${before}` };
    }
  }
  throw new DeliveryError({
    code: 'ENGINE_MISSING',
    side: 'agent',
    message: "Input 'dockerfile' is set, and nothing on this agent can build a Dockerfile.",
    remedy:
      "Take an agent with Docker, podman or buildah, name a BuildKit daemon in 'buildkitAddress', or set 'baseImage' instead of 'dockerfile', which needs no engine.",
    cause: new Error(passed.join('; ')),
  });
}
