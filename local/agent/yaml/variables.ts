import type { VariableDeclaration } from './model.ts';
import { asMap, asScalar, checkKeys, find, readFlag, readText } from './reader.ts';
import { expandText, type Scope } from './scope.ts';
import { type ListTree, type MapTree, pipelineError, type Tree } from './tree.ts';

const itemKeys = {
  what: 'a variable',
  known: ['name', 'value', 'readonly', 'group'],
  refused: { template: 'variable templates are not read' },
};

function fromMap(map: MapTree, scope: Scope): VariableDeclaration[] {
  checkKeys(map, { what: 'variables', known: map.entries.map(({ key }) => key).filter(isName) });
  return map.entries.map(({ key, value }) => {
    const source = asScalar(value, `variable '${key}'`);
    return { name: key, value: expandText(source, scope), readOnly: false, source };
  });
}

function isName(key: string): boolean {
  return !key.startsWith('${{');
}

function fromItem(item: MapTree, scope: Scope): VariableDeclaration {
  const name = readText(item, 'name', scope);
  const value = find(item, 'value');
  if (name === undefined || name === '' || value === undefined)
    throw pipelineError(item.place, "A variable needs 'name' and 'value'.", 'Write both keys.');
  const source = asScalar(value, "'value'");
  return {
    name,
    value: expandText(source, scope),
    readOnly: readFlag(item, 'readonly', scope, false),
    source,
  };
}

function fromList(list: ListTree, scope: Scope, notes: string[]): VariableDeclaration[] {
  const declarations: VariableDeclaration[] = [];
  for (const tree of list.items) {
    const item = asMap(tree, 'A variable');
    checkKeys(item, itemKeys);
    const group = readText(item, 'group', scope);
    if (group === undefined) declarations.push(fromItem(item, scope));
    else notes.push(`Variable group '${group}' is not here: give its variables with --variable name=value.`);
  }
  return declarations;
}

/** `variables:` in its map or list form. */
export function parseVariables(tree: Tree | undefined, scope: Scope, notes: string[]): VariableDeclaration[] {
  if (tree === undefined || (tree.kind === 'scalar' && tree.text === '')) return [];
  return tree.kind === 'list' ? fromList(tree, scope, notes) : fromMap(asMap(tree, "'variables'"), scope);
}

/** The scope inside a stage or job: its variables hide those outside; runtime expressions are not known yet. */
export function innerScope(scope: Scope, declarations: readonly VariableDeclaration[]): Scope {
  const known = declarations.filter((declaration) => !declaration.value.startsWith('$['));
  const variables = Object.fromEntries(known.map(({ name, value }) => [name, value]));
  return { ...scope, variables: { ...scope.variables, ...variables } };
}
