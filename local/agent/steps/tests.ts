import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { minimatch } from 'minimatch';
import type { StepContext } from '../run/context.ts';
import { publishTests } from '../run/target.ts';

async function matchingFiles(folder: string, patterns: readonly string[]): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.filter((file) =>
    patterns.some((pattern) => {
      const name = isAbsolute(pattern) ? file : relative(folder, file);
      return minimatch(name.replaceAll('\\', '/'), pattern.replaceAll('\\', '/'), { dot: true });
    }),
  );
}

/** PublishTestResults@2 for JUnit files. Throws when tests failed and `failTaskOnFailedTests` is true. */
export async function publishTestResults(
  step: StepContext,
  inputs: Readonly<Record<string, string>>,
): Promise<void> {
  const { sources } = step.job.folders;
  const format = inputs['testResultsFormat'] ?? 'JUnit';
  if (format.toLowerCase() !== 'junit')
    throw new Error(`Results of format '${format}' are not read: only JUnit.`);
  const patterns = (inputs['testResultsFiles'] ?? '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
  const folder = resolve(sources, inputs['searchFolder'] || sources);
  const files = await matchingFiles(folder, patterns);
  if (files.length === 0) {
    const message = `No test result files match ${patterns.join(', ')} in ${folder}.`;
    if (inputs['failTaskOnMissingResultsFile'] === 'true') throw new Error(message);
    step.issue('warning', message);
    return;
  }
  const failed = publishTests(step, files);
  if (failed > 0 && inputs['failTaskOnFailedTests'] === 'true') throw new Error(`${failed} tests failed.`);
}
