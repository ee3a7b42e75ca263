import { DeliveryError } from '../../../src/errors.ts';
import type { Pipeline } from './model.ts';

/** Only the named stages, as if they depended on no others. Throws STAGE_UNKNOWN. */
export function onlyStages(pipeline: Pipeline, names: readonly string[] | undefined): Pipeline {
  if (names === undefined) return pipeline;
  const known = pipeline.stages.map(({ name }) => name);
  const missing = names.find((name) => !known.includes(name));
  if (missing !== undefined)
    throw new DeliveryError({
      code: 'STAGE_UNKNOWN',
      side: 'input',
      message: `${pipeline.file} has no stage '${missing}'.`,
      remedy: `Its stages: ${known.join(', ')}.`,
    });
  const stages = pipeline.stages
    .filter(({ name }) => names.includes(name))
    .map((stage) => ({ ...stage, dependsOn: stage.dependsOn.filter((name) => names.includes(name)) }));
  return { ...pipeline, stages };
}
