import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import {
  type PipelineOptions,
  type PipelineResult,
  runPipeline,
  type StepResult,
} from '../../../local/agent/index.ts';

export const connectionId = '22222222-2222-4222-8222-222222222222';
const connections = {
  connections: [
    {
      name: 'models',
      id: connectionId,
      type: 'dockerregistry',
      url: 'http://registry.test/',
      scheme: 'UsernamePassword',
      parameters: { password: 'hunter2-of-models' },
      data: { registrytype: 'Others' },
    },
    {
      name: 'other',
      id: '33333333-3333-4333-8333-333333333333',
      type: 'generic',
      url: 'http://other.test/',
      scheme: 'None',
      parameters: {},
      data: {},
    },
  ],
};
const taskJson = {
  id: '11111111-1111-4111-8111-111111111111',
  name: 'Probe',
  version: { Major: 1, Minor: 0, Patch: 0 },
  inputs: [
    { name: 'script', type: 'string', required: true },
    { name: 'folder', type: 'filePath' },
    { name: 'registry', type: 'connectedService:dockerregistry' },
  ],
  outputVariables: [{ name: 'declared' }],
  restrictions: { settableVariables: { allowed: ['declared', 'free*'] } },
  prejobexecution: { Node20_1: { target: 'before.js' } },
  execution: { Node20_1: { target: 'main.js' }, Node24: { target: 'main.js' } },
  postjobexecution: { Node20_1: { target: 'after.js' } },
};
const taskFiles: Readonly<Record<string, string>> = {
  'tasks/Probe/ProbeV1/task.json': JSON.stringify(taskJson),
  'tasks/Probe/ProbeV1/before.js': "console.log('##vso[task.settaskvariable variable=state]from-before')",
  'tasks/Probe/ProbeV1/main.js': 'eval(process.env.INPUT_SCRIPT)',
  'tasks/Probe/ProbeV1/after.js': "console.log('after sees ' + process.env.VSTS_TASKVARIABLE_STATE)",
  'vss-extension.json': JSON.stringify({
    publisher: 'acme',
    id: 'tools',
    contributions: [{ id: 'probe', properties: { name: 'tasks/Probe' } }],
  }),
};

/** A .vsix with one task, whose script is its input. */
async function writeExtension(folder: string): Promise<string> {
  const encoder = new TextEncoder();
  const files = Object.entries(taskFiles).map(([name, text]) => [name, encoder.encode(text)] as const);
  const path = join(folder, 'tools.vsix');
  await writeFile(path, zipSync(Object.fromEntries(files)));
  return path;
}

export interface Ran {
  readonly result: PipelineResult;
  /** Everything printed. */
  readonly text: string;
  readonly step: (name: string) => StepResult;
}

export type Extra = Partial<PipelineOptions> & { readonly onText?: (text: string) => void };

/** Runs a pipeline in a repository below `folder`, with the extension and the connections of this file. */
export async function run(folder: string, yaml: string, extra: Extra = {}): Promise<Ran> {
  const repository = join(folder, 'repository');
  await mkdir(repository, { recursive: true });
  const file = join(repository, 'azure-pipelines.yml');
  const connectionsFile = join(folder, 'connections.json');
  await writeFile(file, yaml);
  await writeFile(connectionsFile, JSON.stringify(connections));
  let text = '';
  const screen = {
    write: (chunk: string) => {
      text += chunk;
      extra.onText?.(text);
    },
  };
  const result = await runPipeline({
    file,
    connectionsFile,
    vsix: await writeExtension(folder),
    workFolder: join(folder, 'work'),
    artifactsFolder: join(folder, 'artifacts'),
    screen,
    retryDelayMs: () => 1,
    ...extra,
  });
  const steps = result.stages.flatMap((stage) => stage.jobs.flatMap((job) => job.steps));
  const step = (name: string): StepResult => {
    // The handlers before and after a job carry their step's name.
    const found = steps.find(
      ({ name: is, displayName }) => is === name && !/^(Pre|Post)-job/.test(displayName),
    );
    assert.ok(found, `step ${name}`);
    return found;
  };
  return { result, text, step };
}

/** A step whose task runs this JavaScript. */
export function probe(name: string, script: string, more = ''): string {
  const indented = script.split('\n').map((line) => `      ${line}`);
  return `- task: Probe@1\n  name: ${name}\n${more}  inputs:\n    script: |\n${indented.join('\n')}\n`;
}
