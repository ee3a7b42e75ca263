import { DeliveryError } from '../errors.ts';

/** SERVICE_CONNECTION_INVALID: a field of an Azure service connection is missing, or cannot be used. */
export function invalidConnection(
  connectionId: string,
  problem: string,
  remedy: string,
  cause?: unknown,
): DeliveryError {
  return new DeliveryError({
    ...{ code: 'SERVICE_CONNECTION_INVALID', side: 'input', remedy, cause },
    message: `The Azure service connection '${connectionId}' ${problem}.`,
  });
}
