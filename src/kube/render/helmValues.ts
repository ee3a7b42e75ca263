import { parse, stringify } from 'yaml';
import { invalidInput } from '../../host/inputs.ts';
import { isRecord } from '../objects/objects.ts';

/** `a.b\.c` names the value `b.c` of `a`. */
function stepsOf(name: string): string[] {
  return (name.match(/(?:\\.|[^.\\])+/g) ?? []).map((step) => step.replaceAll('\\.', '.'));
}

function withValue(
  values: Record<string, unknown>,
  steps: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const [step = '', ...rest] = steps;
  const inner = values[step];
  const next = rest.length === 0 ? value : withValue(isRecord(inner) ? inner : {}, rest, value);
  // Defined and not assigned: a step may be called __proto__.
  return Object.fromEntries([...Object.entries(values).filter(([name]) => name !== step), [step, next]]);
}

function scalar(text: string): unknown {
  try {
    const value: unknown = parse(text);
    return isRecord(value) || Array.isArray(value) || value === undefined ? text : value;
  } catch {
    return text;
  }
}

/**
 * The lines `name.of.value=value` as a values file: it goes to helm by stdin, since a command line is seen by
 * everybody on the agent. Numbers, true, false and null are what YAML reads. Throws INPUT_INVALID.
 */
export function valuesFile(lines: readonly string[]): string {
  const values = lines.reduce<Record<string, unknown>>((all, line) => {
    const equals = line.indexOf('=');
    const steps = stepsOf(line.slice(0, Math.max(0, equals)));
    if (equals < 1 || steps.length === 0) {
      throw invalidInput(
        'helmSet',
        'has a line that is no name=value',
        "Write for example 'image.pullPolicy=Always'.",
      );
    }
    return withValue(all, steps, scalar(line.slice(equals + 1)));
  }, {});
  return stringify(values);
}
