import { inTotoType, preAuthenticationEncoding } from '../../dsse.ts';
import type { Signer } from './key.ts';

/** An in-toto statement in a signed DSSE envelope, as JSON. */
export function sealStatement(signer: Signer, statement: string): string {
  const sig = signer.sign(preAuthenticationEncoding(inTotoType, Buffer.from(statement)));
  const payload = Buffer.from(statement, 'utf8').toString('base64');
  return JSON.stringify({ payloadType: inTotoType, payload, signatures: [{ keyid: '', sig }] });
}

/** Whether the envelope holds this very statement, signed by this key. */
export function isSealOf(signer: Signer, envelope: string, statement: string): boolean {
  try {
    const { payload, signatures } = JSON.parse(envelope) as {
      readonly payload: string;
      readonly signatures: readonly { readonly sig: string }[];
    };
    const isSame = Buffer.from(payload, 'base64').toString('utf8') === statement;
    const signed = preAuthenticationEncoding(inTotoType, Buffer.from(statement));
    return isSame && signatures.some(({ sig }) => signer.verify(signed, sig));
  } catch {
    return false;
  }
}
