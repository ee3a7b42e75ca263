import { randomUUID } from 'node:crypto';
import { DeliveryError } from '../../errors.ts';
import type { GoldenFile } from '../../golden/golden.ts';
import { askAll, type CaseResult, longestAnswerSeconds } from './ask.ts';
import type { EngineLogin, TrialEngine } from './engine.ts';
import { ownerLabels, sweep } from './owner.ts';
import { waitUntilReady } from './ready.ts';

export interface TrialOptions {
  readonly engine: TrialEngine;
  /** For the end, which a cancelled run must reach too. */
  readonly cleanup: () => TrialEngine;
  /** `registry/repository@sha256:…`: the very image that will be tagged. */
  readonly image: string;
  readonly login: EngineLogin | undefined;
  readonly golden: GoldenFile;
  readonly port: number;
  /** Seconds from the container's start to its first answer. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/** What came of a trial run. */
export interface TrialReport {
  readonly cases: readonly CaseResult[];
  /** Seconds until the container answered for the first time. */
  readonly readySeconds: number;
  /** The last lines that it printed. */
  readonly logs: readonly string[];
}

const keptLines = 200;

async function obtain({ engine, image, login }: TrialOptions): Promise<void> {
  const reason = await engine.pull(image, login);
  if (reason === undefined) return;
  throw new DeliveryError({
    code: 'TEST_IMAGE_NOT_PULLED',
    side: 'engine',
    message: `The Docker engine could not pull ${image} for its test; nothing was tagged.`,
    remedy:
      "The engine itself must reach the registry and trust it (its 'insecure-registries', its certificates, its proxy).",
    cause: new Error(reason.slice(0, 2000)),
  });
}

/** After this time no run still uses its container: it may have been waited for, and each request answered at the last moment. */
function lifeSeconds({ timeoutSeconds, golden }: TrialOptions): number {
  return timeoutSeconds + golden.cases.length * longestAnswerSeconds + 60;
}

async function runContainer(options: TrialOptions, id: string): Promise<TrialReport> {
  const { engine, port, golden, timeoutSeconds, signal } = options;
  const started = performance.now();
  await engine.start(id);
  const address = await waitUntilReady({ engine, id, port, timeoutSeconds, signal });
  const readySeconds = (performance.now() - started) / 1000;
  const cases = await askAll(address, golden, signal);
  return { cases, readySeconds, logs: await engine.logs(id, keptLines) };
}

/**
 * Pulls the image into an engine by its digest, starts it and sends it the golden requests. Container and image are
 * removed however it ends (an image that the engine had before stays); those of a run that was killed, by the next
 * run on this engine. Throws TEST_IMAGE_NOT_PULLED, TEST_NOT_READY,
 * TEST_CONTAINER_EXITED; answers that differ are in the report.
 */
export async function runTrial(options: TrialOptions): Promise<TrialReport> {
  const { engine, image } = options;
  await sweep(engine);
  const wasThere = await engine.has(image);
  const name = `model-delivery-test-${randomUUID()}`;
  try {
    await obtain(options);
    const labels = ownerLabels(lifeSeconds(options), wasThere);
    await engine.create({ name, image, port: options.port, labels });
    return await runContainer(options, name);
  } finally {
    const cleanup = options.cleanup();
    // What cannot be removed must not hide how the test went.
    await cleanup.removeContainer(name).catch(() => undefined);
    if (!wasThere) await cleanup.removeImage(image).catch(() => undefined);
  }
}
