import { ExpressionError, type Token, tokenize } from './lexer.ts';
import type { Value } from './values.ts';

export type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string; readonly offset: number }
  | {
      readonly kind: 'index';
      readonly object: Expression;
      readonly index: Expression;
      readonly offset: number;
    }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly args: readonly Expression[];
      readonly offset: number;
    };

interface Cursor {
  readonly tokens: readonly Token[];
  position: number;
}

const literals: Readonly<Record<string, Value>> = { true: true, false: false, null: null };

function peek(cursor: Cursor): Token {
  const token = cursor.tokens[cursor.position];
  if (token === undefined) throw new Error('read past the end of an expression');
  return token;
}

function take(cursor: Cursor): Token {
  const token = peek(cursor);
  cursor.position += 1;
  return token;
}

function expect(cursor: Cursor, text: string): void {
  const token = take(cursor);
  if (token.kind === 'punctuation' && token.text === text) return;
  const found = token.kind === 'end' ? 'it ends' : `'${token.text}' stands`;
  throw new ExpressionError(`Expected '${text}' where ${found}`, token.offset, `Check the brackets.`);
}

function isNext(cursor: Cursor, text: string): boolean {
  const token = peek(cursor);
  return token.kind === 'punctuation' && token.text === text;
}

function parseArguments(cursor: Cursor): Expression[] {
  expect(cursor, '(');
  const args: Expression[] = [];
  while (!isNext(cursor, ')')) {
    if (args.length > 0) expect(cursor, ',');
    args.push(parseValue(cursor));
  }
  expect(cursor, ')');
  return args;
}

function parsePrimary(cursor: Cursor): Expression {
  const token = take(cursor);
  if (token.kind === 'text') return { kind: 'literal', value: token.text.slice(1, -1).replaceAll("''", "'") };
  if (token.kind === 'number') return { kind: 'literal', value: Number(token.text) };
  if (token.kind !== 'name') {
    const found = token.kind === 'end' ? 'The expression ends too early' : `Unexpected '${token.text}'`;
    throw new ExpressionError(found, token.offset, 'Write a value, variables.name or function(arguments).');
  }
  if (isNext(cursor, '('))
    return { kind: 'call', name: token.text, args: parseArguments(cursor), offset: token.offset };
  const literal = literals[token.text.toLowerCase()];
  if (literal !== undefined) return { kind: 'literal', value: literal };
  return { kind: 'name', name: token.text, offset: token.offset };
}

function parseProperty(cursor: Cursor): Expression {
  const token = take(cursor);
  if (token.kind === 'name') return { kind: 'literal', value: token.text };
  throw new ExpressionError('Expected a name after the dot', token.offset, "Write ['name'] for other names.");
}

function parseValue(cursor: Cursor): Expression {
  let expression = parsePrimary(cursor);
  for (;;) {
    const { offset } = peek(cursor);
    if (isNext(cursor, '.')) {
      take(cursor);
      expression = { kind: 'index', object: expression, index: parseProperty(cursor), offset };
    } else if (isNext(cursor, '[')) {
      take(cursor);
      expression = { kind: 'index', object: expression, index: parseValue(cursor), offset };
      expect(cursor, ']');
    } else {
      return expression;
    }
  }
}

/** The tree of an expression such as `and(succeeded(), eq(variables['x'], 'y'))`. Throws {@link ExpressionError}. */
export function parseExpression(source: string): Expression {
  const cursor: Cursor = { tokens: tokenize(source), position: 0 };
  const expression = parseValue(cursor);
  const rest = peek(cursor);
  if (rest.kind === 'end') return expression;
  throw new ExpressionError(
    `Unexpected '${rest.text}' after the expression`,
    rest.offset,
    'Join conditions with and(a, b) or or(a, b).',
  );
}
