import { DeliveryError } from '../../errors.ts';

/** The model's signature proves nothing: what is wrong with it. */
export function signatureInvalid(what: string, cause?: unknown): DeliveryError {
  return new DeliveryError({
    code: 'SIGNATURE_INVALID',
    side: 'storage',
    message: `The model's signature ${what}. Nothing was fetched.`,
    remedy:
      'Find out who published the model and with which key. If the key was replaced, give this task the new one; else sign the model again with the model-signing tool.',
    ...(cause !== undefined && { cause }),
  });
}
