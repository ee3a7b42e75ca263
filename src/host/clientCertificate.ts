import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { DeliveryError } from '../errors.ts';
import type { Trust } from '../http/network/settings.ts';

/** The agent is given all of these files; the PEM pair is taken, and the archive where no key stands beside it. */
export interface ClientCertificateFiles {
  readonly certFile?: string;
  readonly keyFile?: string;
  /** PKCS#12, as `.pfx` files are. */
  readonly archiveFile?: string;
  /** Of the key, or of the archive. */
  readonly passphrase?: string;
}

/** A file that a setting of the agent names. Throws AGENT_CERTIFICATE_UNREADABLE. */
export function readAgentFile(file: string, setting: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new DeliveryError({
      code: 'AGENT_CERTIFICATE_UNREADABLE',
      side: 'agent',
      message: `The file '${file}', which the agent's setting ${setting} names, cannot be read.`,
      remedy: `Configure the agent anew (config ${setting} FILE), with a file that the agent's account may read.`,
      cause,
    });
  }
}

/** Whether a PEM key is encrypted: PKCS #8 (RFC 7468, section 11), or the older form (RFC 1421). */
export function isEncrypted(pem: Buffer): boolean {
  return /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem.toString('latin1'));
}

/**
 * What is wrong with a certificate, in OpenSSL's words, and what to do about it. One wrong password in some hundred
 * passes the padding's check: what it brings out of an encrypted key is then no key of any kind ("DECODER … unsupported").
 */
function remedyFor(problem: string, key: Buffer | undefined): string {
  const isNoKey = /DECODER routines::unsupported/.test(problem);
  const wrong = /mac verify|bad decrypt|bad password|passphrase|interrupted/i.test(problem);
  if (wrong || (isNoKey && key !== undefined && isEncrypted(key))) {
    return 'Configure the agent anew with the password of this key (config --sslclientcertpassword).';
  }
  if (/unsupported/i.test(problem) && !isNoKey) {
    return 'It is encrypted by a method that is not used any more (RC2, single DES): export it anew, for example by openssl pkcs12 -export of version 3 or later.';
  }
  return 'Configure the agent anew with a certificate and its own private key (config --sslclientcert, --sslclientcertkey, --sslclientcertarchive).';
}

function unusable(file: string, cause: Error, key: Buffer | undefined): DeliveryError {
  return new DeliveryError({
    code: 'AGENT_CERTIFICATE_INVALID',
    side: 'agent',
    message: `The agent's client certificate '${file}' cannot be used.`,
    remedy: remedyFor(cause.message, key),
    cause,
  });
}

/** A certificate that has ended would be refused by each server, in words that do not say so. */
function checkEnd(file: string, pem: Buffer): void {
  const until = new Date(new X509Certificate(pem).validTo);
  if (until > new Date()) return;
  throw new DeliveryError({
    code: 'AGENT_CERTIFICATE_INVALID',
    side: 'agent',
    message: `The agent's client certificate '${file}' expired at ${until.toISOString()}.`,
    remedy: "Have it renewed, and configure the agent anew; check the agent's clock too.",
  });
}

type Shown = Pick<Trust, 'cert' | 'key' | 'pfx' | 'passphrase'>;

/** The certificate to show, tried once: what is wrong with it is said here, not by the first server. Throws AGENT_CERTIFICATE_UNREADABLE or …_INVALID. */
export function shownBy({ certFile, keyFile, archiveFile, passphrase }: ClientCertificateFiles): Shown {
  const byArchive = archiveFile !== undefined && (certFile === undefined || keyFile === undefined);
  const file = byArchive ? archiveFile : certFile;
  if (file === undefined) return {};
  const password = passphrase === undefined ? {} : { passphrase };
  const content = readAgentFile(file, byArchive ? '--sslclientcertarchive' : '--sslclientcert');
  const key = keyFile === undefined ? content : readAgentFile(keyFile, '--sslclientcertkey');
  const shown = byArchive ? { pfx: content, ...password } : { cert: content, key, ...password };
  try {
    createSecureContext(shown);
  } catch (error) {
    throw error instanceof Error ? unusable(file, error, byArchive ? undefined : key) : error;
  }
  if (!byArchive) checkEnd(file, content);
  return shown;
}
