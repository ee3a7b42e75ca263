import { isAbsolute, resolve } from 'node:path';
import { DeliveryError } from '../../../src/errors.ts';
import { nearest } from '../../../src/report/nearest.ts';
import { type Connection, findConnection } from '../connections.ts';
import type { TaskDefinition, TaskInput } from './definition.ts';
import { isVisible } from './visible.ts';

/** What the agent needs to fill a task's inputs. */
export interface InputSources {
  /** As the YAML gives them. */
  readonly given: Readonly<Record<string, string>>;
  readonly expand: (text: string) => string;
  /** What an empty or relative filePath input starts from: the sources folder. */
  readonly root: string;
  readonly connections: readonly Connection[];
}

export interface ResolvedInputs {
  readonly values: Readonly<Record<string, string>>;
  /** The connections that connectedService inputs name: only these are handed to the task. */
  readonly connections: readonly Connection[];
  readonly warnings: readonly string[];
}

function nameOf(inputs: readonly TaskInput[], written: string): string | undefined {
  const key = written.trim().toLowerCase();
  return inputs.find((input) =>
    [input.name, ...(input.aliases ?? [])].some((name) => name.toLowerCase() === key),
  )?.name;
}

function merge(
  definition: TaskDefinition,
  sources: InputSources,
  warnings: string[],
): Record<string, string> {
  const inputs = definition.inputs ?? [];
  const defaults = inputs.map((input) => [input.name, String(input.defaultValue ?? '').trim()]);
  const values = Object.fromEntries(defaults) as Record<string, string>;
  for (const [written, value] of Object.entries(sources.given)) {
    const name = nameOf(inputs, written);
    if (name === undefined) {
      const near =
        nearest(
          written,
          inputs.map((input) => input.name),
          1,
        )[0] ?? '';
      warnings.push(
        `Unexpected input '${written}': task ${definition.name} has no such input. Did you mean '${near}'?`,
      );
    }
    values[name ?? written.trim()] = value.trim();
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, sources.expand(value)]));
}

function shown(definition: TaskDefinition, input: TaskInput, values: Record<string, string>): boolean {
  const valueFor = (name: string): string => values[name] ?? '';
  const group = definition.groups?.find(({ name }) => name === input.groupName);
  return isVisible(input.visibleRule, valueFor) && isVisible(group?.visibleRule, valueFor);
}

function checkRequired(definition: TaskDefinition, values: Record<string, string>): void {
  const missing = (definition.inputs ?? [])
    .filter(
      (input) => input.required === true && values[input.name] === '' && shown(definition, input, values),
    )
    .map((input) => `'${input.name}'`);
  if (missing.length === 0) return;
  throw new DeliveryError({
    code: 'INPUT_MISSING',
    side: 'input',
    message: `Task ${definition.name} needs ${missing.join(', ')}.`,
    remedy: `Write ${missing.length === 1 ? 'it' : 'them'} below the step's 'inputs'.`,
  });
}

/**
 * A task's inputs as the agent passes them: defaults merged, trimmed, macros expanded, filePath inputs made
 * absolute (an empty one becomes the sources folder), connections by id.
 * Throws INPUT_MISSING or SERVICE_CONNECTION_UNKNOWN. Source: azure-pipelines-agent, TaskRunner.
 */
export function resolveInputs(definition: TaskDefinition, sources: InputSources): ResolvedInputs {
  const warnings: string[] = [];
  const values = merge(definition, sources, warnings);
  checkRequired(definition, values);
  const connections: Connection[] = [];
  for (const input of definition.inputs ?? []) {
    const value = values[input.name] ?? '';
    if (input.type.toLowerCase() === 'filepath')
      values[input.name] = isAbsolute(value) ? resolve(value) : resolve(sources.root, value);
    if (!input.type.toLowerCase().startsWith('connectedservice:') || value === '') continue;
    const named = value
      .split(',')
      .map((name) => findConnection(sources.connections, name.trim(), input.name));
    values[input.name] = named.map(({ id }) => id).join(',');
    connections.push(...named);
  }
  return { values, connections: [...new Set(connections)], warnings };
}
