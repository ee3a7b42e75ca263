import { nearest } from '../../../src/report/nearest.ts';
import { parseCondition } from './condition.ts';
import type { Job, Stage, Step } from './model.ts';
import { asList, asMap, checkKeys, find, readFlag, readNames, readNumber, readText } from './reader.ts';
import type { Scope } from './scope.ts';
import { parseSteps } from './steps.ts';
import { type MapTree, type Place, pipelineError, type Tree } from './tree.ts';
import { innerScope, parseVariables } from './variables.ts';

const common = [
  'displayName',
  'dependsOn',
  'condition',
  'continueOnError',
  'timeoutInMinutes',
  'cancelTimeoutInMinutes',
  'variables',
  'pool',
  'workspace',
];
const refused = {
  container: 'jobs run on this machine itself',
  services: 'jobs run on this machine itself',
  template: 'job templates are not read',
};
const jobKeys = {
  what: 'a job',
  known: ['job', 'steps', ...common],
  refused: { ...refused, strategy: 'a matrix needs several agents' },
};
const deploymentKeys = {
  what: 'a deployment job',
  known: ['deployment', 'environment', 'strategy', ...common],
  refused,
};
const hooks = ['preDeploy', 'deploy', 'routeTraffic', 'postRouteTraffic'];
const refusedHooks = { on: 'write steps with condition: failed() or succeeded() instead' };

function hookSteps(runOnce: MapTree, scope: Scope): Step[] {
  checkKeys(runOnce, { what: "'runOnce'", known: hooks, refused: refusedHooks });
  return hooks.flatMap((hook) => {
    const tree = find(runOnce, hook);
    if (tree === undefined) return [];
    const map = asMap(tree, `'${hook}'`);
    checkKeys(map, { what: `'${hook}'`, known: ['steps', 'pool'] });
    return parseSteps(map, scope);
  });
}

function deploymentSteps(map: MapTree, scope: Scope): Step[] {
  const tree = find(map, 'strategy');
  const strategy = tree === undefined ? undefined : asMap(tree, "'strategy'");
  const runOnce = strategy === undefined ? undefined : find(strategy, 'runOnce');
  if (runOnce === undefined)
    throw pipelineError(
      (tree ?? map).place,
      'Local runs support the deployment strategy runOnce only.',
      'Write strategy: { runOnce: { deploy: { steps: [...] } } }.',
    );
  return hookSteps(asMap(runOnce, "'runOnce'"), scope);
}

function environmentOf(map: MapTree, scope: Scope): string {
  const tree = find(map, 'environment');
  if (tree === undefined) return '';
  return tree.kind === 'map'
    ? (readText(tree, 'name', scope) ?? '')
    : (readText(map, 'environment', scope) ?? '');
}

function checkName(name: string, place: Place): void {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return;
  throw pipelineError(
    place,
    `'${name}' cannot be a name.`,
    'Use letters, digits and _, beginning with a letter.',
  );
}

function parseJob(tree: Tree, scope: Scope, index: number, notes: string[]): Job {
  const map = asMap(tree, 'A job');
  const isDeployment = find(map, 'deployment') !== undefined;
  checkKeys(map, isDeployment ? deploymentKeys : jobKeys);
  if (!isDeployment && find(map, 'job') === undefined)
    throw pipelineError(
      map.place,
      "This is neither a 'job' nor a 'deployment'.",
      "Begin it with '- job: name'.",
    );
  const written = readText(map, isDeployment ? 'deployment' : 'job', scope) ?? '';
  const name = written === '' ? `Job${index + 1}` : written;
  checkName(name, map.place);
  const variables = parseVariables(find(map, 'variables'), scope, notes);
  const inner = innerScope(scope, variables);
  const condition = parseCondition(map, inner, ['variables', 'dependencies', 'stagedependencies']);
  return {
    name,
    displayName: readText(map, 'displayName', inner) ?? name,
    kind: isDeployment ? 'deployment' : 'job',
    environment: environmentOf(map, inner),
    dependsOn: readNames(map, 'dependsOn', scope) ?? [],
    ...(condition === undefined ? {} : { condition }),
    continueOnError: readFlag(map, 'continueOnError', inner, false),
    timeoutMinutes: readNumber(map, 'timeoutInMinutes', inner, 60),
    cancelTimeoutMinutes: readNumber(map, 'cancelTimeoutInMinutes', inner, 5),
    variables,
    steps: isDeployment ? deploymentSteps(map, inner) : parseSteps(map, inner),
    place: map.place,
  };
}

/** The jobs of a stage, or of a file that has none. */
export function parseJobs(tree: Tree, scope: Scope, notes: string[]): Job[] {
  return asList(tree, "'jobs'").items.map((item, index) => parseJob(item, scope, index, notes));
}

/** The one job of a file that has `steps` at the top. */
export function singleJob(map: MapTree, scope: Scope): Job {
  return {
    name: 'Job',
    displayName: 'Job',
    kind: 'job',
    environment: '',
    dependsOn: [],
    continueOnError: readFlag(map, 'continueOnError', scope, false),
    timeoutMinutes: readNumber(map, 'timeoutInMinutes', scope, 60),
    cancelTimeoutMinutes: 5,
    variables: [],
    steps: parseSteps(map, scope),
    place: map.place,
  };
}

/** Refuses two of one name, and a dependency on a name that is not there or comes back to itself. */
export function checkGraph(nodes: readonly (Job | Stage)[], what: string): void {
  const names = nodes.map((node) => node.name);
  const ready = new Set<string>();
  for (const [index, node] of nodes.entries()) {
    if (names.indexOf(node.name) !== index)
      throw pipelineError(node.place, `There are two ${what}s named '${node.name}'.`, 'Rename one.');
    const missing = node.dependsOn.find((name) => !names.includes(name));
    if (missing !== undefined)
      throw pipelineError(
        node.place,
        `${what} '${node.name}' depends on '${missing}', which does not exist.`,
        `Nearest: ${nearest(missing, names, 3).join(', ')}.`,
      );
  }
  for (let grown = true; grown; ) {
    const next = nodes.filter(
      (node) => !ready.has(node.name) && node.dependsOn.every((name) => ready.has(name)),
    );
    for (const node of next) ready.add(node.name);
    grown = next.length > 0;
  }
  const circular = nodes.find((node) => !ready.has(node.name));
  if (circular !== undefined)
    throw pipelineError(
      circular.place,
      `${what} '${circular.name}' depends on itself in the end.`,
      'Break the circle.',
    );
}
