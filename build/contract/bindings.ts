import { type DataSourceBinding, readTaskJson, type TaskJson } from './taskJson.ts';

/** Names of the inputs that a text refers to as `$(name)`. */
function references(text: string): string[] {
  return [...text.matchAll(/\$\((\w+)\)/g)].map((match) => match[1] ?? '');
}

function problemsOf(binding: DataSourceBinding, task: TaskJson): string[] {
  const typeOf = new Map(task.inputs.map((input) => [input.name, input.type]));
  const target = task.inputs.find((input) => input.name === binding.target);
  const isOpen = target?.type === 'pickList' && target.properties?.['EditableOptions'] === 'True';
  const [connection = ''] = references(binding.endpointId);
  const used = [binding.endpointUrl ?? '', ...Object.values(binding.parameters ?? {})].flatMap(references);
  return [
    ...(isOpen ? [] : ['its target is no pickList with EditableOptions, so nothing else could be written']),
    ...(typeOf.get(connection)?.startsWith('connectedService:') === true
      ? []
      : [`'${connection}' holds no service connection`]),
    ...used.filter((name) => !typeOf.has(name)).map((name) => `it names the unknown input '${name}'`),
  ].map((problem) => `${task.name}: binding of '${binding.target}': ${problem}`);
}

/** Where an input's choices are asked for by inputs that do not exist, or would leave no room for free text. */
export function bindingProblems(name: string): string[] {
  const task = readTaskJson(name);
  return (task.dataSourceBindings ?? []).flatMap((binding) => problemsOf(binding, task));
}
