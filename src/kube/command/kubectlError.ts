import { DeliveryError } from '../../errors.ts';
import type { Call } from '../api/explanation.ts';
import { apiError, type Status } from '../api/statusError.ts';

/** The status of the API server's answer, by the reason that kubectl puts into brackets. */
const statusOf: Readonly<Record<string, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Invalid: 422,
  InternalError: 500,
};

/** `Apply failed with 2 conflicts: conflicts with "helm": - .spec.replicas …`, up to kubectl's advice. */
function conflictOf(text: string): Status | undefined {
  const found = /Apply failed with \d+ conflicts?: ([\s\S]*?)(?:\n?Please review|$)/.exec(text)?.[1];
  if (found === undefined) return undefined;
  const [message = '', field = message] = found.replaceAll(/\s+/g, ' ').split(/: (?=[^:]*$)/);
  return { reason: 'Conflict', details: { causes: [{ reason: 'FieldManagerConflict', field, message }] } };
}

/** What kubectl complained of, as the API server's answer would be explained. */
export function kubectlError(call: Call, text: string): DeliveryError {
  const conflict = conflictOf(text);
  if (conflict !== undefined) return apiError(call, 409, conflict);
  if (/no matches for kind|the server doesn't have a resource type/.test(text)) {
    return new DeliveryError({
      code: 'KIND_UNKNOWN',
      side: 'input',
      message: `The cluster does not know the kind of ${call.what}: ${text.slice(0, 500)}`,
      remedy: 'Install the custom resource definition it belongs to, or correct apiVersion and kind.',
    });
  }
  const reason = /\((\w+)\)/.exec(text)?.[1] ?? '';
  const message = text.replace(/^error: |^Error from server(?: \(\w+\))?: /i, '').slice(0, 1000);
  return apiError(call, statusOf[reason] ?? 500, { message, reason });
}
