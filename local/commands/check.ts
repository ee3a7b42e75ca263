import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { declarationProblems } from '../../build/contract/check.ts';
import { recordNames } from '../../build/contract/recorded.ts';
import { repositoryRoot } from '../lib/context.ts';

function runTool(what: string, script: string, args: readonly string[]): boolean {
  const file = join(repositoryRoot, 'node_modules', script);
  const { status } = spawnSync(process.execPath, [file, ...args], { cwd: repositoryRoot, stdio: 'inherit' });
  console.log(`${status === 0 ? '✓' : '✗'} ${what}`);
  return status === 0;
}

async function contractsHold(): Promise<boolean> {
  const problems = await declarationProblems();
  for (const problem of problems) console.error(`  ${problem}`);
  console.log(`${problems.length === 0 ? '✓' : '✗'} contracts`);
  return problems.length === 0;
}

/** `npm run check`: lint, format, types and contracts. `--fix` writes what can be mended; `--record` promises new names. */
export async function checkCommand(args: string[]): Promise<number> {
  if (args.includes('--record')) recordNames();
  const biome = args.includes('--fix') ? ['check', '--write', '.'] : ['ci', '.'];
  const results = [
    runTool('lint and format', '@biomejs/biome/bin/biome', biome),
    runTool('types', 'typescript/bin/tsc', ['--noEmit', '-p', '.']),
    await contractsHold(),
  ];
  return results.every(Boolean) ? 0 : 1;
}
