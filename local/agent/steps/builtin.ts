import { expandFor } from '../run/child.ts';
import type { StepContext } from '../run/context.ts';
import type { TaskDefinition, TaskInput } from '../task/definition.ts';
import { resolveInputs } from '../task/inputs.ts';
import { downloadPipelineArtifact, publishPipelineArtifact } from './artifacts.ts';
import { usePythonVersion } from './python.ts';
import { publishTestResults } from './tests.ts';

/** A task of Microsoft's that the agent itself stands in for. */
export interface BuiltInTask {
  readonly label: string;
  readonly definition: TaskDefinition;
  readonly run: (step: StepContext, inputs: Readonly<Record<string, string>>) => Promise<void>;
}

function input(name: string, more: Partial<TaskInput> = {}): TaskInput {
  return { name, type: 'string', ...more };
}

function builtIn(
  name: string,
  major: number,
  inputs: readonly TaskInput[],
  run: BuiltInTask['run'],
): BuiltInTask {
  const definition = { id: '', name, version: { Major: major, Minor: 0, Patch: 0 }, inputs };
  return { label: `${name}@${major}`, definition, run };
}

/** Inputs and aliases as azure-pipelines-tasks declares them. */
const tasks: readonly BuiltInTask[] = [
  builtIn(
    'PublishPipelineArtifact',
    1,
    [
      input('targetPath', { aliases: ['path'] }),
      input('artifact', { aliases: ['artifactName'] }),
      input('publishLocation', { aliases: ['artifactType'] }),
      input('properties'),
    ],
    publishPipelineArtifact,
  ),
  builtIn(
    'DownloadPipelineArtifact',
    2,
    [
      input('source', { aliases: ['buildType'], defaultValue: 'current' }),
      input('pipeline', { aliases: ['definition'] }),
      input('artifact', { aliases: ['artifactName'] }),
      input('itemPattern', { aliases: ['patterns'], defaultValue: '**' }),
      input('path', { aliases: ['targetPath', 'downloadPath'] }),
      ...['project', 'runVersion', 'runBranch', 'runId', 'tags', 'preferTriggeringPipeline'].map((name) =>
        input(name),
      ),
    ],
    downloadPipelineArtifact,
  ),
  builtIn(
    'PublishTestResults',
    2,
    [
      input('testResultsFormat', { aliases: ['testRunner'], defaultValue: 'JUnit' }),
      input('testResultsFiles', { defaultValue: '**/TEST-*.xml' }),
      input('searchFolder'),
      input('failTaskOnFailedTests', { defaultValue: 'false' }),
      input('failTaskOnMissingResultsFile', { defaultValue: 'false' }),
      ...[
        'mergeTestResults',
        'testRunTitle',
        'publishRunAttachments',
        'failTaskOnFailureToPublishResults',
      ].map((name) => input(name)),
      ...['buildPlatform', 'buildConfiguration', 'platform', 'configuration'].map((name) => input(name)),
    ],
    publishTestResults,
  ),
  builtIn(
    'UsePythonVersion',
    0,
    [
      input('versionSpec', { defaultValue: '3.x' }),
      input('addToPath', { defaultValue: 'true' }),
      ...['architecture', 'disableDownloadFromRegistry', 'allowUnstable', 'githubToken'].map((name) =>
        input(name),
      ),
    ],
    usePythonVersion,
  ),
];

export const builtInLabels: readonly string[] = tasks.map(({ label }) => label);

export function findBuiltIn(reference: string): BuiltInTask | undefined {
  return tasks.find(({ label }) => label.toLowerCase() === reference.toLowerCase());
}

export async function runBuiltIn(
  step: StepContext,
  task: BuiltInTask,
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const { values, warnings } = resolveInputs(task.definition, {
    given,
    expand: expandFor(step),
    root: step.job.folders.sources,
    connections: [],
  });
  for (const warning of warnings) step.issue('warning', warning);
  await task.run(step, values);
}
