import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { secretForms } from '../../src/host/secretForms.ts';

/** Texts to look through, by the name of where they were found. */
export type Places = Readonly<Record<string, string>>;

/** The texts of all files below a folder. */
export async function textBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

/** What would give the secret away; the frame of a PEM, and what is too short to be told from chance, would not. */
function telling(secret: string): string[] {
  return secretForms(secret).filter((form) => form.length >= 8 && !/^-----(BEGIN|END) /.test(form));
}

/** Where one of the secrets stands, in any of its forms; a secret is named by its place in the list. */
export function leaksIn(places: Places, secrets: readonly string[]): string[] {
  const forms = secrets.map(telling);
  return Object.entries(places).flatMap(([place, text]) =>
    forms.flatMap((all, index) => (all.some((form) => text.includes(form)) ? [`${place}: #${index}`] : [])),
  );
}

/** Fails for a secret in any place, and for a place that nothing was found in to look at. */
export function assertNoSecret(places: Places, secrets: readonly string[]): void {
  for (const [place, text] of Object.entries(places)) assert.ok(text.length > 0, `${place} was looked at`);
  for (const secret of secrets) assert.ok(telling(secret).length > 0, 'each secret can be looked for');
  assert.deepEqual(leaksIn(places, secrets), []);
}

/** The private key alone of a PEM text: its certificate is no secret. */
export function privateKeyOf(pem: string): string {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/.exec(pem)?.[0] ?? '';
}
