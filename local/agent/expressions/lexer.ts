/** What an expression cannot be; `offset` counts characters from its start. */
export class ExpressionError extends Error {
  readonly offset: number;
  readonly remedy: string;

  constructor(message: string, offset: number, remedy: string) {
    super(message);
    this.name = 'ExpressionError';
    this.offset = offset;
    this.remedy = remedy;
  }
}

export interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'punctuation' | 'end';
  readonly text: string;
  readonly offset: number;
}

const patterns: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /\s+/y],
  ['name', /[A-Za-z_][A-Za-z0-9_-]*/y],
  ['number', /-?\d+(?:\.\d+)?/y],
  ['text', /'(?:[^']|'')*'/y],
  ['punctuation', /[()[\],.]/y],
];

function nextToken(source: string, offset: number): Token | { kind: 'space'; text: string; offset: number } {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = offset;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) return { kind, text, offset };
  }
  const character = source[offset] ?? '';
  const remedy =
    character === "'"
      ? "Close the text with a single quote; a quote inside it is written twice: ''."
      : 'Operators are functions here: eq(a, b), and(a, b), not(a); text stands in single quotes.';
  throw new ExpressionError(`Unexpected '${character}' in the expression`, offset, remedy);
}

/** The tokens of an expression, with an end token last. Throws {@link ExpressionError}. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (let offset = 0; offset < source.length; ) {
    const token = nextToken(source, offset);
    offset += token.text.length;
    if (token.kind !== 'space') tokens.push(token);
  }
  tokens.push({ kind: 'end', text: '', offset: source.length });
  return tokens;
}
