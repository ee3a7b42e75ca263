import { type KeyObject, X509Certificate } from 'node:crypto';
import { signatureInvalid } from './invalid.ts';
import { maySign } from './keyUsage.ts';

/** Certificates between a signer and an authority. */
const longestChain = 8;

function same(a: X509Certificate, b: X509Certificate): boolean {
  return a.fingerprint256 === b.fingerprint256;
}

function validAt(certificate: X509Certificate, moment: Date): boolean {
  return new Date(certificate.validFrom) <= moment && moment <= new Date(certificate.validTo);
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Whether a way leads from the certificate over the others to an authority, each valid at the moment. */
function leadsToAuthority(
  certificate: X509Certificate,
  others: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  moment: Date,
): boolean {
  let current = certificate;
  for (let step = 0; step < longestChain; step += 1) {
    const reached = current;
    if (!validAt(reached, moment)) return false;
    if (authorities.some((authority) => same(authority, reached))) return true;
    const issuer = [...authorities, ...others].find(
      (other) => !same(other, reached) && issued(other, reached),
    );
    if (issuer === undefined) return false;
    current = issuer;
  }
  return false;
}

/**
 * The signer's key, once its certificate leads to a trusted authority and may sign. As the model-signing tool does,
 * validity is judged at the beginning of the signer's certificate: no trusted clock tells when the model was signed.
 * Throws SIGNATURE_INVALID.
 */
export function keyOfSigner(
  chain: readonly Buffer[],
  authorities: readonly X509Certificate[],
): { readonly key: KeyObject; readonly subject: string } {
  const [signer, ...others] = chain.map((der) => new X509Certificate(der));
  if (signer === undefined) throw signatureInvalid('has no certificate');
  const subject = signer.subject.replaceAll('\n', ', ');
  if (!leadsToAuthority(signer, others, authorities, new Date(signer.validFrom))) {
    throw signatureInvalid(
      `is by '${subject}', whose certificate was issued by '${signer.issuer.replaceAll('\n', ', ')}': no way leads from there to the certificates of 'signatureAuthorities'`,
    );
  }
  if (!maySign(signer.raw)) {
    throw signatureInvalid(`is by '${subject}', whose certificate is not made for signing (key usage)`);
  }
  return { key: signer.publicKey, subject };
}
