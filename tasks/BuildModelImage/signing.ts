import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { required } from '../../src/host/inputs.ts';
import { createSigner, type Signer } from '../../src/image/signature/key.ts';
import type { Raw } from './fields.ts';

/** The key as the inputs name it. */
export interface SigningInput {
  /** Path of the file, where the input is not the key itself. */
  readonly file?: string;
  readonly pem?: string;
  readonly password?: string;
}

/** A variable keeps no lines: the key's come back from `\n` or from spaces. */
function withLines(value: string): string {
  const text = value.replaceAll('\\n', '\n');
  return text.replace(
    /(-----BEGIN [^-]+-----)\s*([^-]+?)\s*(-----END [^-]+-----)/,
    (_, begin: string, body: string, end: string) =>
      body.includes(':') ? text : `${begin}\n${body.replace(/\s+/g, '\n')}\n${end}\n`,
  );
}

/** Reads the inputs about the signature; the key is a secret before anything else sees it. Throws INPUT_MISSING. */
export function readSigning(host: Host, raw: Raw): { signing?: SigningInput } {
  const { signingKey, signingKeyPassword: password } = raw;
  if (password !== undefined) {
    host.secret(password);
    required(signingKey, 'signingKey', "beside 'signingKeyPassword'");
  }
  if (signingKey === undefined) return {};
  const secret = password === undefined ? {} : { password };
  if (!signingKey.includes('-----BEGIN'))
    return { signing: { file: resolve(host.workingFolder, signingKey), ...secret } };
  host.secret(signingKey);
  return { signing: { pem: withLines(signingKey), ...secret } };
}

/** The signer that the inputs ask for. Throws SIGNING_KEY_UNREADABLE and SIGNING_KEY_INVALID. */
export async function openSigner(host: Host, signing: SigningInput): Promise<Signer> {
  const { file, pem, password } = signing;
  if (pem !== undefined || file === undefined) return createSigner(pem ?? '', password);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'SIGNING_KEY_UNREADABLE',
      side: 'input',
      message: `The signing key '${file}' cannot be read.`,
      remedy:
        "Let DownloadSecureFile@1 bring it and pass its output secureFilePath, or pass the key's text from a secret variable.",
      cause,
    });
  });
  host.secret(text);
  return createSigner(text, password);
}
