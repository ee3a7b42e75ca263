import { DeliveryError } from '../../errors.ts';

/** What an engine says about the step that ended a build. */
export interface FailedStep {
  /** The instruction, as far as the engine names it; empty where it does not. */
  readonly step: string;
  /** Its line in the Dockerfile, where it is known. */
  readonly line: number | undefined;
  readonly reason: string;
}

/** The error for a Dockerfile that an engine could not build. */
export function dockerfileFailed({ step, line, reason }: FailedStep): DeliveryError {
  const where = line === undefined ? '' : ` in line ${line}`;
  const at = step === '' ? '' : `: ${step}`;
  const message =
    step === '' && line === undefined
      ? 'The Dockerfile could not be built.'
      : `The Dockerfile failed${where}${at}`;
  return new DeliveryError({
    code: 'DOCKERFILE_FAILED',
    side: 'application',
    message,
    remedy: 'The lines above are the output of that step. Correct it, and try it with docker build.',
    cause: new Error(reason.slice(0, 2000)),
  });
}
