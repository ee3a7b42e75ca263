import { parseExpression } from '../expressions/parser.ts';
import type { Condition } from './model.ts';
import { asScalar, find } from './reader.ts';
import { expandText, located, type Scope } from './scope.ts';
import type { MapTree } from './tree.ts';

/** The `condition` of a step, job or stage; undefined when it has none, which means `succeeded()`. */
export function parseCondition(map: MapTree, scope: Scope): Condition | undefined {
  const tree = find(map, 'condition');
  if (tree === undefined) return undefined;
  const source = asScalar(tree, "'condition'");
  const text = expandText(source, scope).trim();
  if (text === '') return undefined;
  return { source, expression: located(source, 0, () => parseExpression(text)) };
}
