import type { Host } from '../../src/host/host.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { chooseEngine, type EngineCandidate } from '../../src/image/engines/choose.ts';
import { findProgram } from '../../src/image/tool/find.ts';
import { createTrialEngine } from '../../src/image/trial/engine.ts';
import { type AgentEngine, type DockerfileInput, fittingEngines } from './dockerfileInput.ts';
import type { BuildInputs } from './inputs.ts';

type Place = Pick<Host, 'environment'> & { readonly signal: AbortSignal };

/** Programs that can build without a daemon, the lighter one first. */
export const podmanPrograms = ['buildah', 'podman'] as const;
export const buildkitProgram = 'buildctl';

/** BuildKit's daemon as the inputs or the agent's environment name it. */
export function buildkitAddress(
  input: DockerfileInput,
  { environment }: Pick<Host, 'environment'>,
): string | undefined {
  return input.buildkitAddress ?? (environment['BUILDKIT_HOST']?.trim() || undefined);
}

function candidates(
  input: DockerfileInput,
  place: Place,
): Readonly<Record<AgentEngine, EngineCandidate<AgentEngine>['look']>> {
  const find = (names: readonly string[]) => findProgram(names, place.environment, process.platform);
  return {
    async docker() {
      const address = engineAddress(place.environment, process.platform);
      const problem = await createTrialEngine(address, place.signal)
        .ping()
        .then(
          () => undefined,
          () => `none answers at ${address.name}`,
        );
      place.signal.throwIfAborted();
      return problem === undefined
        ? { found: `a Docker engine answers at ${address.name}` }
        : { missing: problem };
    },
    async buildkit() {
      const address = buildkitAddress(input, place);
      if (address === undefined) return { missing: "neither 'buildkitAddress' nor BUILDKIT_HOST is set" };
      return (await find([buildkitProgram])) === undefined
        ? { missing: `${buildkitProgram} is not on PATH` }
        : { found: `BuildKit is at ${address}` };
    },
    async podman() {
      const program = await find(podmanPrograms);
      return program === undefined
        ? { missing: `neither ${podmanPrograms.join(' nor ')} is on PATH` }
        : { found: `${program} needs no daemon` };
    },
  };
}

/** The inputs with an engine in place of `auto`, and why it was chosen. Throws ENGINE_MISSING. */
export async function settleEngine(inputs: BuildInputs, place: Place): Promise<BuildInputs> {
  const { application } = inputs;
  if (application.engine !== 'auto') return inputs;
  const looks = candidates(application, place);
  const fitting = fittingEngines(application).map((engine) => ({ engine, look: looks[engine] }));
  const { engine, why } = await chooseEngine(fitting);
  return { ...inputs, application: { ...application, engine }, why };
}
