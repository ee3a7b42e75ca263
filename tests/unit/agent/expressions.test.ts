import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkExpression, evaluate } from '../../../local/agent/expressions/evaluate.ts';
import { ExpressionError } from '../../../local/agent/expressions/lexer.ts';
import { parseExpression } from '../../../local/agent/expressions/parser.ts';
import { lookupOf, type Value } from '../../../local/agent/expressions/values.ts';

const context = {
  objects: {
    variables: lookupOf({ 'Build.Branch': 'refs/heads/main', empty: '', number: '3' }),
    dependencies: lookupOf({
      A: lookupOf({ result: 'Succeeded', outputs: lookupOf({ 'step.digest': 'sha' }) }),
    }),
  },
  statusFunctions: { succeeded: (names: readonly string[]) => names.length === 0, failed: () => false },
};

function value(source: string): Value {
  return evaluate(parseExpression(source), context);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

describe('expressions', () => {
  const cases: readonly (readonly [string, Value])[] = [
    ["eq('A', 'a')", true],
    ["ne('a', 'b')", true],
    ["eq(3, '3')", true],
    ["eq('3', 3)", true],
    ["eq(true, 'false')", true],
    ["eq(variables.missing, '')", true],
    ["eq(variables['missing'], null)", true],
    ["variables['build.BRANCH']", 'refs/heads/main'],
    ['and(true, eq(1, 1), not(false))', true],
    ["or(false, '', null, 0)", false],
    ["in('b', 'A', 'B')", true],
    ["notIn('c', 'A', 'B')", true],
    ["startsWith(variables['Build.Branch'], 'REFS/heads/')", true],
    ["endsWith('model.onnx', '.ONNX')", true],
    ["contains('abc', 'B')", true],
    ["coalesce(variables.empty, variables.missing, 'x')", 'x'],
    ["format('{0}-{1} {{}}', 'a', 2)", 'a-2 {}'],
    ["lower('AbC')", 'abc'],
    ["upper('abc')", 'ABC'],
    ["replace('a.b.c', '.', '/')", 'a/b/c'],
    ['gt(variables.number, 2)', true],
    ['le(2, 10)', true],
    ['xor(true, false)', true],
    ["iif(eq(1, 2), 'y', 'n')", 'n'],
    ["'it''s'", "it's"],
    ["dependencies.A.outputs['step.digest']", 'sha'],
    ['dependencies.A.result', 'Succeeded'],
    ["dependencies.B.outputs['x']", null],
    ['succeeded()', true],
    ["succeeded('A')", false],
    ['-2.5', -2.5],
  ];
  for (const [source, expected] of cases)
    it(`give ${JSON.stringify(expected)} for ${source}`, () => {
      assert.equal(value(source), expected);
    });

  it('compare any text with itself, whatever its case', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(value(quoted(text)), text);
        assert.equal(
          value(`eq(${quoted(text.toUpperCase())}, ${quoted(text.toUpperCase().toLowerCase())})`),
          true,
        );
      }),
    );
  });

  it('follow de Morgan’s law', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), (a, b) => {
        assert.equal(value(`not(and(${a}, ${b}))`), value(`or(not(${a}), not(${b}))`));
      }),
    );
  });

  it('never end in anything but a value or an error that names its offset', () => {
    fc.assert(
      fc.property(fc.string(), (source) => {
        try {
          const expression = parseExpression(source);
          checkExpression(expression, { objects: ['variables', 'dependencies'], statusFunctions: [] });
          evaluate(expression, context);
        } catch (error) {
          assert.ok(error instanceof ExpressionError);
          assert.ok(error.offset >= 0 && error.offset <= source.length);
        }
      }),
    );
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['suceeded()', /'suceeded'/],
    ['eq(1)', /1 argument/],
    ['variable.x', /'variable'/],
    ["eq('a', 'b'", /where it ends/],
    ['a == b', /Unexpected '='/],
    ["eq('a, 1)", /Unexpected '''/],
    ['', /ends too early/],
    ['eq(1, 1) and true', /after the expression/],
  ];
  for (const [source, message] of wrong)
    it(`refuse ${JSON.stringify(source)} before anything runs`, () => {
      assert.throws(
        () =>
          checkExpression(parseExpression(source), {
            objects: ['variables'],
            statusFunctions: ['succeeded'],
          }),
        (error) => error instanceof ExpressionError && message.test(error.message) && error.remedy !== '',
      );
    });
});
