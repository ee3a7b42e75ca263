import { checkExpression } from '../expressions/evaluate.ts';
import { parseExpression } from '../expressions/parser.ts';
import type { Condition } from './model.ts';
import { asScalar, find } from './reader.ts';
import { expandText, located, type Scope } from './scope.ts';
import type { MapTree } from './tree.ts';

const statusFunctions = ['succeeded', 'failed', 'succeededorfailed', 'always', 'canceled'];

/** The `condition` of a step, job or stage; undefined when it has none, which means `succeeded()`. */
export function parseCondition(
  map: MapTree,
  scope: Scope,
  objects: readonly string[] = ['variables'],
): Condition | undefined {
  const tree = find(map, 'condition');
  if (tree === undefined) return undefined;
  const source = asScalar(tree, "'condition'");
  const text = expandText(source, scope).trim();
  if (text === '') return undefined;
  return located(source, 0, () => {
    const expression = parseExpression(text);
    checkExpression(expression, { objects, statusFunctions });
    return { source, expression };
  });
}
