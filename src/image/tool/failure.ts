import { DeliveryError } from '../../errors.ts';

/** The error for a program that an engine needs and the agent has not got. */
export function toolMissing(engine: string, programs: readonly string[], remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'ENGINE_TOOL_MISSING',
    side: 'agent',
    message: `Engine '${engine}' needs ${programs.join(' or ')}, which is not on the agent's PATH.`,
    remedy,
  });
}
