import { invalidInput, required } from '../../src/host/inputs.ts';
import type { SignatureSettings } from '../../src/model/signature/check.ts';
import type { TrustFile } from '../../src/model/signature/trust.ts';
import type { Raw } from './fields.ts';

type SignatureInputs = Pick<
  Raw,
  'verifySignature' | 'signatureKey' | 'signatureAuthorities' | 'signatureFile'
>;

function trustOf({ signatureKey, signatureAuthorities }: SignatureInputs): TrustFile | undefined {
  if (signatureKey !== undefined && signatureAuthorities !== undefined) {
    throw invalidInput(
      'signatureAuthorities',
      "is given together with 'signatureKey'",
      'Trust a key or certificate authorities, not both: leave one of them out.',
    );
  }
  if (signatureKey !== undefined) return { kind: 'key', path: signatureKey };
  return signatureAuthorities === undefined ? undefined : { kind: 'authorities', path: signatureAuthorities };
}

/** What shall be done about the model's signature. Throws INPUT_MISSING or INPUT_INVALID, naming the input. */
export function signatureOf(raw: SignatureInputs): SignatureSettings {
  const trust = trustOf(raw);
  const mode = raw.verifySignature;
  if (mode === 'require' && trust === undefined) {
    required(raw.signatureKey, 'signatureKey', "(or 'signatureAuthorities') with verifySignature require");
  }
  return { mode, file: raw.signatureFile, ...(trust !== undefined && { trust }) };
}
