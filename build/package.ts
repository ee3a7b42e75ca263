import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { repositoryRoot } from '../local/lib/context.ts';
import { formatBytes } from '../src/report/format.ts';
import { bundleTask } from './bundle.ts';
import { checkContracts } from './contract/check.ts';
import { distFolder, extensionFolder, packagedTaskFolder, taskNames } from './layout.ts';
import { thirdPartyNotices, weighPackages } from './notices.ts';

/** The Marketplace accepts more; a bundle that is downloaded on every run should not need it. */
const vsixLimitBytes = 10 * 1024 * 1024;

function copyExtensionFiles(): void {
  for (const file of ['vss-extension.json', 'overview.md', 'LICENSE', 'CHANGELOG.md']) {
    copyFileSync(join(repositoryRoot, file), join(extensionFolder, file));
  }
  mkdirSync(join(extensionFolder, 'images'), { recursive: true });
  cpSync(join(repositoryRoot, 'images'), join(extensionFolder, 'images'), {
    recursive: true,
    filter: (source) => !source.includes(join('images', 'src')),
  });
}

function runTfx(output: string): void {
  const tfx = join(repositoryRoot, 'node_modules/tfx-cli/_build/tfx-cli.js');
  const args = ['extension', 'create', '--root', extensionFolder, '--manifest-globs', 'vss-extension.json'];
  const result = spawnSync(
    process.execPath,
    [tfx, ...args, '--output-path', output, '--no-prompt', '--no-color'],
    {
      encoding: 'utf8',
      env: { ...process.env, NO_UPDATE_NOTIFIER: '1' },
    },
  );
  if (result.status !== 0)
    throw new Error(`tfx could not make the package:\n${result.stdout}${result.stderr}`);
}

function describe(name: string, metafile: Metafile): string {
  const sizes = Object.values(metafile.outputs).map(({ bytes }) => bytes);
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const start = statSync(join(packagedTaskFolder(name), 'task.js')).size;
  const heaviest = weighPackages(metafile).slice(0, 5);
  const parts = heaviest.map(([origin, bytes]) => `${origin} ${formatBytes(bytes)}`).join(', ');
  return `  ${name.padEnd(16)} ${formatBytes(size).padStart(9)}, ${formatBytes(start)} at the start  ${parts}`;
}

/** Makes dist/model-delivery-<version>.vsix; returns its path. Throws when a contract is broken. */
export async function packageExtension(say: (line: string) => void): Promise<string> {
  rmSync(distFolder, { recursive: true, force: true });
  mkdirSync(extensionFolder, { recursive: true });
  const metafiles = await Promise.all(taskNames.map(bundleTask));
  say('Bundles, and what weighs most in each:');
  taskNames.forEach((name, index) => {
    const metafile = metafiles[index];
    if (metafile !== undefined) say(describe(name, metafile));
  });
  copyExtensionFiles();
  writeFileSync(join(extensionFolder, 'ThirdPartyNotices.txt'), thirdPartyNotices(metafiles));
  await checkContracts();
  const manifest: unknown = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
  const { name, version } = manifest as { name: string; version: string };
  const file = join(distFolder, `${name}-${version}.vsix`);
  runTfx(`${file}.partial.vsix`);
  const size = statSync(`${file}.partial.vsix`).size;
  if (size > vsixLimitBytes) throw new Error(`The package weighs ${formatBytes(size)}; the limit is 10 MiB.`);
  renameSync(`${file}.partial.vsix`, file);
  say(`Package: ${file} (${formatBytes(size)})`);
  return file;
}
