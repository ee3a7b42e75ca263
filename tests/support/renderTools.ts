import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../../local/lib/context.ts';
import { ensureGoBinary } from '../../local/toolchain/binary.ts';

/** Helm, built once for this user. */
export function helmBinary(context: LocalContext): Promise<string> {
  return ensureGoBinary(context, {
    ...{ name: 'helm', package: 'helm.sh/helm/v3/cmd/helm', version: 'v3.22.0' },
    duration: 'about two minutes',
  });
}

/** Kustomize, built once for this user. */
export function kustomizeBinary(context: LocalContext): Promise<string> {
  return ensureGoBinary(context, {
    ...{ name: 'kustomize', package: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.1' },
    duration: 'about a minute',
  });
}

/** Puts the real helm and kustomize into a folder, by their names. */
export async function renderTools(context: LocalContext, folder: string): Promise<void> {
  await symlink(await kustomizeBinary(context), join(folder, 'kustomize'));
  await symlink(await helmBinary(context), join(folder, 'helm'));
}
