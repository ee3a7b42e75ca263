import type { Signer } from './key.ts';

export const statementType = 'application/vnd.in-toto+json';

/**
 * What a DSSE signature is over.
 * https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
export function preAuthEncoding(type: string, body: string): Buffer {
  const length = (text: string): number => Buffer.byteLength(text, 'utf8');
  return Buffer.from(`DSSEv1 ${length(type)} ${type} ${length(body)} ${body}`, 'utf8');
}

/** An in-toto statement in a signed DSSE envelope, as JSON. */
export function sealStatement(signer: Signer, statement: string): string {
  const sig = signer.sign(preAuthEncoding(statementType, statement));
  const payload = Buffer.from(statement, 'utf8').toString('base64');
  return JSON.stringify({ payloadType: statementType, payload, signatures: [{ keyid: '', sig }] });
}

/** Whether the envelope holds this very statement, signed by this key. */
export function isSealOf(signer: Signer, envelope: string, statement: string): boolean {
  try {
    const { payload, signatures } = JSON.parse(envelope) as {
      readonly payload: string;
      readonly signatures: readonly { readonly sig: string }[];
    };
    const isSame = Buffer.from(payload, 'base64').toString('utf8') === statement;
    const signed = preAuthEncoding(statementType, statement);
    return isSame && signatures.some(({ sig }) => signer.verify(signed, sig));
  } catch {
    return false;
  }
}
