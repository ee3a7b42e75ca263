/** Media type of an in-toto statement, as an envelope's payload and as a referrer's. */
export const inTotoType = 'application/vnd.in-toto+json';

/**
 * What a DSSE signature is over: the pre-authentication encoding of a payload and its type.
 * https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
export function preAuthenticationEncoding(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
