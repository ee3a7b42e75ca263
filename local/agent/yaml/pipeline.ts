import { parseCondition } from './condition.ts';
import { checkGraph, parseJobs, singleJob } from './jobs.ts';
import type { Pipeline, PipelineResource, Stage } from './model.ts';
import { parseParameters } from './parameters.ts';
import { asList, asMap, checkKeys, find, readNames, readText } from './reader.ts';
import type { Scope } from './scope.ts';
import { type MapTree, parseYaml, pipelineError, type Tree } from './tree.ts';
import { innerScope, parseVariables } from './variables.ts';

const top = ['name', 'trigger', 'pr', 'schedules', 'pool', 'resources', 'parameters', 'variables'];
const topMore = ['appendCommitMessageToRunName', 'lockBehavior', 'continueOnError', 'timeoutInMinutes'];
const topKeys = {
  what: 'a pipeline',
  known: [...top, 'stages', 'jobs', 'steps', ...topMore],
  refused: {
    extends: 'templates are not read',
    container: 'jobs run on this machine itself',
    strategy: 'a matrix needs several agents',
  },
};
const stageKeys = {
  what: 'a stage',
  known: [
    'stage',
    'displayName',
    'dependsOn',
    'condition',
    'variables',
    'jobs',
    'pool',
    'lockBehavior',
    'trigger',
    'isSkippable',
  ],
  refused: { template: 'stage templates are not read' },
};
const resourceKeys = {
  what: "'resources'",
  known: ['pipelines', 'repositories', 'containers', 'builds', 'packages', 'webhooks'],
};
const pipelineResourceKeys = {
  what: 'a pipeline resource',
  known: ['pipeline', 'source', 'project', 'version', 'branch', 'tags', 'trigger'],
};

function parseStage(tree: Tree, scope: Scope, previous: Stage | undefined, notes: string[]): Stage {
  const map = asMap(tree, 'A stage');
  checkKeys(map, stageKeys);
  const name = readText(map, 'stage', scope);
  const jobs = find(map, 'jobs');
  if (name === undefined || name === '' || jobs === undefined)
    throw pipelineError(map.place, "A stage needs 'stage' (its name) and 'jobs'.", 'Write both keys.');
  const variables = parseVariables(find(map, 'variables'), scope, notes);
  const inner = innerScope(scope, variables);
  const condition = parseCondition(map, inner, ['variables', 'dependencies']);
  const stage: Stage = {
    name,
    displayName: readText(map, 'displayName', inner) ?? name,
    dependsOn: readNames(map, 'dependsOn', scope) ?? (previous === undefined ? [] : [previous.name]),
    ...(condition === undefined ? {} : { condition }),
    variables,
    jobs: parseJobs(jobs, inner, notes),
    place: map.place,
  };
  checkGraph(stage.jobs, 'Job');
  return stage;
}

function parseStages(map: MapTree, scope: Scope, notes: string[]): Stage[] {
  const stages = find(map, 'stages');
  if (stages !== undefined) {
    const parsed: Stage[] = [];
    for (const item of asList(stages, "'stages'").items)
      parsed.push(parseStage(item, scope, parsed.at(-1), notes));
    return parsed;
  }
  const jobs = find(map, 'jobs');
  const list = jobs === undefined ? [singleJob(map, scope)] : parseJobs(jobs, scope, notes);
  checkGraph(list, 'Job');
  return [{ name: '__default', displayName: '', dependsOn: [], variables: [], jobs: list, place: map.place }];
}

function parseResources(map: MapTree, scope: Scope, notes: string[]): PipelineResource[] {
  const tree = find(map, 'resources');
  if (tree === undefined || tree.kind === 'scalar') return [];
  const resources = asMap(tree, "'resources'");
  checkKeys(resources, resourceKeys);
  for (const { key } of resources.entries)
    if (key !== 'pipelines')
      notes.push(`resources.${key} is left out: a local run has this repository only.`);
  const pipelines = find(resources, 'pipelines');
  const items = pipelines === undefined ? [] : asList(pipelines, "'pipelines'").items;
  return items.map((item) => {
    const resource = asMap(item, 'A pipeline resource');
    checkKeys(resource, pipelineResourceKeys);
    const alias = readText(resource, 'pipeline', scope) ?? '';
    return { alias, source: readText(resource, 'source', scope) ?? alias, place: resource.place };
  });
}

/**
 * The pipeline that a YAML text describes, `${{ }}` expanded. Throws PIPELINE_INVALID with file, line, column.
 * Source: Azure Pipelines docs, "YAML schema reference".
 */
export function parsePipeline(
  text: string,
  file: string,
  given: Readonly<Record<string, string>> = {},
  known: Readonly<Record<string, string>> = {},
): Pipeline {
  const map = asMap(parseYaml(text, file), 'A pipeline');
  checkKeys(map, topKeys);
  if (!map.entries.some(({ key }) => ['stages', 'jobs', 'steps'].includes(key)))
    throw pipelineError(map.place, 'The pipeline has nothing to run.', "Write 'stages', 'jobs' or 'steps'.");
  const notes: string[] = [];
  const outer: Scope = { parameters: parseParameters(find(map, 'parameters'), given), variables: known };
  const variables = parseVariables(find(map, 'variables'), outer, notes);
  const scope = innerScope(outer, variables);
  const stages = parseStages(map, scope, notes);
  checkGraph(stages, 'Stage');
  const pipelineResources = parseResources(map, scope, notes);
  return { file, name: readText(map, 'name', scope) ?? '', variables, stages, pipelineResources, notes };
}
