import { checkExpression } from '../expressions/evaluate.ts';
import { parseExpression } from '../expressions/parser.ts';
import type { VariableDeclaration } from './model.ts';
import { asMap, asScalar, checkKeys, find, readFlag, readText } from './reader.ts';
import { expandText, located, type Scope } from './scope.ts';
import { type ListTree, type MapTree, pipelineError, type ScalarTree, type Tree } from './tree.ts';

const itemKeys = {
  what: 'a variable',
  known: ['name', 'value', 'readonly', 'group'],
  refused: { template: 'variable templates are not read' },
};

function fromMap(map: MapTree, scope: Scope): VariableDeclaration[] {
  checkKeys(map, { what: 'variables', known: map.entries.map(({ key }) => key).filter(isName) });
  return map.entries.map(({ key, value }) => {
    const source = asScalar(value, `variable '${key}'`);
    return declaration(key, source, false, scope);
  });
}

const runtime = /^\s*\$\[(.*)\]\s*$/s;
const runtimeNames = { objects: ['variables', 'dependencies', 'stagedependencies'], statusFunctions: [] };

/** A declaration whose `$[ ]`, if it is one, can be evaluated when its job begins. */
function declaration(name: string, source: ScalarTree, readOnly: boolean, scope: Scope): VariableDeclaration {
  const value = expandText(source, scope);
  const [, text] = runtime.exec(value) ?? [];
  if (text === undefined) return { name, value, readOnly, source };
  const expression = located(source, 2, () => {
    const parsed = parseExpression(text);
    checkExpression(parsed, runtimeNames);
    return parsed;
  });
  return { name, value, readOnly, source, expression };
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
  return declaration(name, source, readFlag(item, 'readonly', scope, false), scope);
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
  const known = declarations.filter(({ expression }) => expression === undefined);
  const variables = Object.fromEntries(known.map(({ name, value }) => [name, value]));
  return { ...scope, variables: { ...scope.variables, ...variables } };
}
