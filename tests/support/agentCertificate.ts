import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerCertificate } from '../../local/identity/authority.ts';

/** Files as an agent is configured with, in each form; keys by this password. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly archiveFile: string;
  readonly passphrase: string;
}

/** Writes certificate, encrypted key and PKCS#12 archive; `algorithm` is what the archive is encrypted by. */
export async function certificateFiles(
  folder: string,
  { cert, key }: ServerCertificate,
  algorithm: readonly string[] = [],
): Promise<CertificateFiles> {
  const passphrase = 'p@ss word of the key';
  const [certFile, keyFile, archiveFile] = ['cert.pem', 'key.pem', 'archive.pfx'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const encryption = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  await writeFile(certFile, cert);
  await writeFile(keyFile, createPrivateKey(key).export(encryption));
  const both = ['-in', certFile, '-inkey', keyFile, '-passin', `pass:${passphrase}`];
  const out = ['-out', archiveFile, '-passout', `pass:${passphrase}`];
  execFileSync('openssl', ['pkcs12', '-export', ...algorithm, ...both, ...out], { stdio: 'pipe' });
  return { certFile, keyFile, archiveFile, passphrase };
}
