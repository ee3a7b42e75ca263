import type { Connection } from '../connections.ts';
import { environmentName, type Variable } from '../variables.ts';

/** The agent's connection to the service, which every task gets. */
export interface SystemConnection {
  readonly url: string;
  readonly accessToken: string;
  /** Where tasks ask for OIDC tokens; below `url` when absent. */
  readonly oidcRequestUri?: string;
}

function endpointVariables(
  key: string,
  connection: Omit<Connection, 'name' | 'id' | 'type'>,
): Record<string, string> {
  const { url, scheme, parameters, data } = connection;
  const variables: Record<string, string> = {
    [`ENDPOINT_URL_${key}`]: url,
    [`ENDPOINT_AUTH_${key}`]: JSON.stringify({ parameters, scheme }),
    [`ENDPOINT_AUTH_SCHEME_${key}`]: scheme,
  };
  for (const [name, value] of Object.entries(parameters))
    variables[`ENDPOINT_AUTH_PARAMETER_${key}_${environmentName(name)}`] = value;
  if (key === 'SYSTEMVSSCONNECTION') return variables;
  variables[`ENDPOINT_DATA_${key}`] = JSON.stringify(data);
  for (const [name, value] of Object.entries(data))
    variables[`ENDPOINT_DATA_${key}_${environmentName(name)}`] = value;
  return variables;
}

/** Public variables by their environment names, as scripts and tasks see them. */
export function publicEnvironment(variables: readonly Variable[]): Record<string, string> {
  const shown = variables.filter((variable) => !variable.secret);
  const entries = shown.map(({ name, value }) => [environmentName(name), value]);
  const status = shown.find(({ name }) => name.toLowerCase() === 'agent.jobstatus');
  // This one is also passed under its plain name, for tasks of old.
  if (status !== undefined) entries.push(['agent.jobstatus', status.value]);
  return Object.fromEntries(entries) as Record<string, string>;
}

export interface TaskEnvironment {
  readonly variables: readonly Variable[];
  readonly inputs: Readonly<Record<string, string>>;
  readonly connections: readonly Connection[];
  readonly system: SystemConnection;
  readonly taskVariables: ReadonlyMap<string, string>;
}

/**
 * What a task finds in its environment besides the machine's own variables.
 * Source: azure-pipelines-agent, Handler.AddVariablesToEnvironment and its neighbours.
 */
export function taskEnvironment(from: TaskEnvironment): Record<string, string> {
  const secrets = from.variables.filter((variable) => variable.secret);
  const shown = from.variables.filter((variable) => !variable.secret);
  const environment: Record<string, string> = {
    ...publicEnvironment(from.variables),
    VSTS_PUBLIC_VARIABLES: JSON.stringify(shown.map(({ name }) => name)),
    VSTS_SECRET_VARIABLES: JSON.stringify(secrets.map(({ name }) => name)),
  };
  for (const { name, value } of secrets) environment[`SECRET_${environmentName(name)}`] = value;
  for (const [name, value] of Object.entries(from.inputs))
    environment[`INPUT_${environmentName(name)}`] = value;
  for (const connection of from.connections)
    Object.assign(environment, endpointVariables(connection.id, connection));
  Object.assign(
    environment,
    endpointVariables('SYSTEMVSSCONNECTION', {
      url: from.system.url,
      scheme: 'OAuth',
      parameters: { AccessToken: from.system.accessToken },
      data: {},
    }),
  );
  for (const [name, value] of from.taskVariables)
    environment[`VSTS_TASKVARIABLE_${environmentName(name)}`] = value;
  return environment;
}

const ofOtherRuns = /^(INPUT|ENDPOINT|SECRET|VSTS|AGENT|SYSTEM|BUILD|RELEASE|SECUREFILE|npm)_/i;
const ofThisProcess = new Set([
  'NODE_OPTIONS',
  'INIT_CWD',
  'TF_BUILD',
  'NODE_V8_COVERAGE',
  'FORCE_COLOR',
  'COLOR',
]);

/** The machine's environment without what belongs to npm, to this very process, or to an agent around it. */
export function machineEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !ofOtherRuns.test(entry[0]) && !ofThisProcess.has(entry[0]),
  );
  return Object.fromEntries(kept);
}
