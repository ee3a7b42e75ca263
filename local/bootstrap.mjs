// The first step of every npm script: a fresh clone has no packages yet, so this file uses Node alone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.lockfile-sha256');

function lockfileDigest() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function installPackages() {
  const digest = lockfileDigest();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  console.log('Installing npm packages (npm ci) …');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    console.error('npm ci failed: check that the npm registry can be reached, then run the command again.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(stamp, digest);
}

installPackages();
// `--entry FILE` runs another room's entry; every other word is a command of local/main.ts.
const words = process.argv.slice(2);
const entry = words[0] === '--entry' ? (words.splice(0, 2)[1] ?? '') : join('local', 'main.ts');
const args = ['--import', 'tsx/esm', join(root, entry), ...words];
// The child handles Ctrl+C itself (it stops services cleanly); the parent only waits for its exit code.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exit(status ?? (signal ? 130 : 1));
