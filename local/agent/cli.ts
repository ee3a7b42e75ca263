import { existsSync, readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DeliveryError, explain } from '../../src/errors.ts';
import { repositoryRoot } from '../lib/context.ts';
import { type PipelineOptions, runPipeline } from './index.ts';

const usage = `Runs an Azure Pipelines file on this machine.

npm run pipeline -- FILE.yml [options]

  --connections FILE      service connections (default: .local/connections.json, if there)
  --variable NAME=VALUE   a variable; may be repeated
  --secret NAME           a secret variable, its value from the environment variable NAME; may be repeated
  --parameter NAME=VALUE  a parameter; may be repeated
  --stage NAME            only this stage; may be repeated
  --vsix FILE             the extension (default: the newest in dist/)
  --node PATH             the Node that runs the tasks (default: this one)
  --working-copy FOLDER   what 'checkout: self' brings (default: the repository around FILE)
  --definition NAME       the pipeline's name, which others give as 'source' (default: FILE's name)
  --artifacts FOLDER      where artifacts of all runs are kept (default: .local/agent/artifacts)
  --json FILE             writes the result
`;

const flags = {
  connections: { type: 'string' },
  variable: { type: 'string', multiple: true },
  secret: { type: 'string', multiple: true },
  parameter: { type: 'string', multiple: true },
  stage: { type: 'string', multiple: true },
  vsix: { type: 'string' },
  node: { type: 'string' },
  'working-copy': { type: 'string' },
  definition: { type: 'string' },
  artifacts: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function wrong(message: string, remedy: string): DeliveryError {
  return new DeliveryError({ code: 'ARGUMENT_INVALID', side: 'input', message, remedy });
}

function pairs(texts: readonly string[] | undefined, flag: string): Record<string, string> {
  const entries = (texts ?? []).map((text) => {
    const equals = text.indexOf('=');
    if (equals <= 0) throw wrong(`--${flag} '${text}' has no name and value.`, `Write --${flag} name=value.`);
    return [text.slice(0, equals), text.slice(equals + 1)];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

function secrets(names: readonly string[] | undefined): Record<string, { value: string; secret: true }> {
  const entries = (names ?? []).map((name) => {
    const value = process.env[name];
    if (value === undefined)
      throw wrong(`There is no environment variable '${name}'.`, 'Set it, then run again.');
    return [name, { value, secret: true }];
  });
  return Object.fromEntries(entries) as Record<string, { value: string; secret: true }>;
}

/** The newest .vsix in dist/; undefined when none was made, which is an error only once a task needs it. */
function newestExtension(): string | undefined {
  const folder = join(repositoryRoot, 'dist');
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.vsix')) : [];
  return files
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs)
    .at(-1);
}

function defaultConnections(): string | undefined {
  const file = join(repositoryRoot, '.local', 'connections.json');
  return existsSync(file) ? file : undefined;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, allowPositionals: true });
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause), 'See npm run pipeline -- --help.');
  }
}

type Values = ReturnType<typeof parse>['values'];

function optionsOf(file: string, values: Values, signal: AbortSignal): PipelineOptions {
  const vsix = values.vsix ?? newestExtension();
  const connectionsFile = values.connections ?? defaultConnections();
  return {
    file,
    signal,
    artifactsFolder: values.artifacts ?? join(repositoryRoot, '.local', 'agent', 'artifacts'),
    variables: { ...pairs(values.variable, 'variable'), ...secrets(values.secret) },
    parameters: pairs(values.parameter, 'parameter'),
    ...(vsix === undefined ? {} : { vsix }),
    ...(connectionsFile === undefined ? {} : { connectionsFile }),
    ...(values.stage === undefined ? {} : { stages: values.stage }),
    ...(values.node === undefined ? {} : { node: values.node }),
    ...(values['working-copy'] === undefined ? {} : { workingCopy: values['working-copy'] }),
    ...(values.definition === undefined ? {} : { definitionName: values.definition }),
  };
}

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw wrong('One pipeline file must be given.', usage);
  const result = await runPipeline(optionsOf(file, values, signal));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  return result.result === 'Succeeded' || result.result === 'SucceededWithIssues' ? 0 : 1;
}

/** `npm run pipeline`: runs one file, and gives the exit code. Ctrl+C cancels the run as the service would. */
export async function pipelineCommand(args: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const cancel = (): void => {
    // A second Ctrl+C must not end this process alone: the step's would live on.
    if (controller.signal.aborted) return;
    process.stderr.write('\nCancelling: the running step gets up to 10 s to end …\n');
    controller.abort();
  };
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  try {
    return await run(args, controller.signal);
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return 2;
  } finally {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
  }
}
