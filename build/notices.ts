import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { repositoryRoot } from '../local/lib/context.ts';

/** The package folder that a bundled input came from, for example `node_modules/undici`. */
function packageFolder(input: string): string | undefined {
  const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
  return match?.[1];
}

/** Bytes that each package contributes to a bundle, largest first; our own code counts as `model-delivery`. */
export function weighPackages(metafile: Metafile): [string, number][] {
  const weights = new Map<string, number>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const name = packageFolder(input)?.replace(/^.*node_modules\//, '') ?? 'model-delivery';
      weights.set(name, (weights.get(name) ?? 0) + bytesInOutput);
    }
  }
  return [...weights].sort((a, b) => b[1] - a[1]);
}

function licenceText(folder: string): string {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  return file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim();
}

/** The licences of every package inside the bundles, as their terms ask. */
export function thirdPartyNotices(metafiles: readonly Metafile[]): string {
  const folders = new Set<string>();
  for (const metafile of metafiles) {
    for (const input of Object.keys(metafile.inputs)) {
      const folder = packageFolder(input);
      if (folder !== undefined && existsSync(join(repositoryRoot, folder, 'package.json')))
        folders.add(folder);
    }
  }
  const sections = [...folders].sort().map((folder) => {
    const manifest: unknown = JSON.parse(readFileSync(join(repositoryRoot, folder, 'package.json'), 'utf8'));
    const { name, version, license } = manifest as { name?: string; version?: string; license?: string };
    return `${name} ${version} (${license ?? 'see below'})\n\n${licenceText(join(repositoryRoot, folder))}`;
  });
  return `Third-party software in this extension\n\n${sections.join('\n\n---\n\n')}\n`;
}
