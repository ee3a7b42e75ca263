import type { Value } from '../expressions/values.ts';
import { asList, asMap, checkKeys, find, readNames, readText } from './reader.ts';
import type { Scope } from './scope.ts';
import { type MapTree, type Place, pipelineError, type Tree } from './tree.ts';

const keys = { what: 'a parameter', known: ['name', 'displayName', 'type', 'default', 'values'] };
const noScope: Scope = { parameters: {}, variables: {} };

function typed(type: string, text: string, place: Place): Value {
  if (type === 'string') return text;
  if (type === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (type === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  const supported = ['string', 'boolean', 'number'].includes(type);
  throw supported
    ? pipelineError(place, `'${text}' is not a ${type}.`, `Give the parameter a ${type}.`)
    : pipelineError(
        place,
        `Parameters of type '${type}' are not supported by local runs.`,
        'Supported: string, boolean, number.',
      );
}

function parseParameter(map: MapTree, given: Readonly<Record<string, string>>): [string, Value] {
  checkKeys(map, keys);
  const name = readText(map, 'name', noScope);
  if (name === undefined || name === '')
    throw pipelineError(map.place, "A parameter needs a 'name'.", 'Write one.');
  const type = readText(map, 'type', noScope) ?? 'string';
  const text = given[name] ?? readText(map, 'default', noScope);
  if (text === undefined)
    throw pipelineError(
      map.place,
      `Parameter '${name}' has no default.`,
      `Give it: --parameter ${name}=value.`,
    );
  const choices = readNames(map, 'values', noScope);
  if (choices !== undefined && !choices.includes(text))
    throw pipelineError(
      map.place,
      `Parameter '${name}' is '${text}'.`,
      `Choose one of: ${choices.join(', ')}.`,
    );
  return [name, typed(type, text, find(map, 'default')?.place ?? map.place)];
}

/** The pipeline's parameters with the values given, else their defaults. */
export function parseParameters(
  tree: Tree | undefined,
  given: Readonly<Record<string, string>>,
): Record<string, Value> {
  const maps =
    tree === undefined ? [] : asList(tree, "'parameters'").items.map((item) => asMap(item, 'A parameter'));
  const parameters = maps.map((map) => parseParameter(map, given));
  const unknown = Object.keys(given).find((name) => !parameters.some(([known]) => known === name));
  if (unknown !== undefined && tree !== undefined)
    throw pipelineError(tree.place, `There is no parameter '${unknown}'.`, 'Check the name.');
  return Object.fromEntries(parameters);
}
