import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isLookup } from '../../../local/agent/expressions/values.ts';
import { alignedTable } from '../../../local/agent/report/table.ts';
import { combineResults, mergeResults, type TaskResult } from '../../../local/agent/results.ts';
import { formatRunNumber } from '../../../local/agent/run/number.ts';
import { dependenciesOf, type NodeView, nodeStatus, stepStatus } from '../../../local/agent/run/status.ts';
import { addTotals, noTests, parseJUnit } from '../../../local/agent/steps/junit.ts';
import { satisfiesPython } from '../../../local/agent/steps/python.ts';

const result = fc.constantFrom<TaskResult>(
  'Succeeded',
  'SucceededWithIssues',
  'Failed',
  'Canceled',
  'Skipped',
);

describe('results', () => {
  it('never get better by another result', () => {
    fc.assert(
      fc.property(result, result, (a, b) => {
        if (a !== 'Succeeded') assert.notEqual(mergeResults(a, b), 'Succeeded');
        assert.equal(mergeResults(mergeResults(a, b), b), mergeResults(a, b));
      }),
    );
  });

  it('of parts are the worst, and skipped parts count for nothing', () => {
    assert.equal(combineResults(['Succeeded', 'Skipped']), 'Succeeded');
    assert.equal(combineResults(['SucceededWithIssues', 'Succeeded']), 'SucceededWithIssues');
    assert.equal(combineResults(['SucceededWithIssues', 'Failed', 'Succeeded']), 'Failed');
    assert.equal(combineResults(['Failed', 'Canceled']), 'Canceled');
    assert.equal(combineResults(['Skipped']), 'Skipped');
    assert.equal(combineResults([]), 'Succeeded');
  });
});

function view(
  results: Record<string, readonly [TaskResult, readonly string[]]>,
  dependsOn: readonly string[],
): NodeView {
  const ended = Object.entries(results).map(
    ([name, [end, before]]) =>
      [name, { result: end, outputs: { 'step.x': name }, dependsOn: before }] as const,
  );
  return { dependsOn, ended: new Map(ended), canceled: false };
}

describe('status functions of jobs and stages', () => {
  it('look at everything before them in the graph', () => {
    const status = nodeStatus(view({ A: ['Failed', []], B: ['Succeeded', ['A']] }, ['B']));
    assert.equal(status['succeeded']?.([]), false);
    assert.equal(status['failed']?.([]), true);
    assert.equal(status['succeededorfailed']?.([]), true);
    assert.equal(status['succeeded']?.(['B']), true);
  });

  it('do not hold after a dependency that was skipped, except always()', () => {
    const status = nodeStatus(view({ A: ['Skipped', []] }, ['A']));
    assert.equal(status['succeeded']?.([]), false);
    assert.equal(status['succeededorfailed']?.([]), false);
    assert.equal(status['failed']?.([]), false);
    assert.equal(status['always']?.([]), true);
  });

  it('hold for a job without dependencies', () => {
    const status = nodeStatus(view({ A: ['Failed', []] }, []));
    assert.equal(status['succeeded']?.([]), true);
    assert.equal(status['failed']?.([]), false);
  });

  it('of a step follow the job’s status: exactly one of succeeded, failed, canceled holds', () => {
    for (const status of ['Succeeded', 'SucceededWithIssues', 'Failed', 'Canceled'] as const) {
      const functions = stepStatus(status);
      const held = ['succeeded', 'failed', 'canceled'].filter((name) => functions[name]?.([]) === true);
      assert.equal(held.length, 1);
      assert.equal(functions['always']?.([]), true);
      assert.equal(functions['succeededorfailed']?.([]), status !== 'Canceled');
    }
  });
});

describe('dependencies', () => {
  it('show direct dependencies, no others', () => {
    const dependencies = dependenciesOf(view({ A: ['Failed', []], B: ['Succeeded', ['A']] }, ['B']));
    assert.ok(isLookup(dependencies));
    assert.equal(dependencies.get('A'), null);
    const b = dependencies.get('b');
    assert.ok(b !== null && isLookup(b));
    assert.equal(b.get('result'), 'Succeeded');
  });
});

describe('a run’s number', () => {
  const parts = {
    date: new Date(2026, 0, 9, 3, 4, 5),
    buildId: 12,
    branchName: 'main',
    definitionName: 'ci',
    variables: { flavour: 'x' },
    taken: new Set(['20260109.1', '20260109.2']),
  };
  it('is the date and the first revision that is free', () => {
    assert.equal(formatRunNumber('', parts), '20260109.3');
    assert.equal(formatRunNumber('$(Date:yyyyMMdd)$(Rev:.rr)', parts), '20260109.01');
  });
  it('may hold other parts', () => {
    assert.equal(
      formatRunNumber('$(BuildID)-$(SourceBranchName)-$(flavour)-$(Date:yy.M.d)', parts),
      '12-main-x-26.1.9',
    );
  });
});

describe('JUnit results', () => {
  it('are counted with their failures, suites within suites too', () => {
    const xml = `<?xml version="1.0"?><testsuites><testsuite name="a"><testcase classname="m" name="ok" time="0.5"/>
      <testsuite><testcase classname="m" name="bad &lt;1&gt;" time="0.25"><failure message="1 != 2">trace</failure></testcase>
      <testcase name="err"><error>boom
      more</error></testcase><testcase name="off"><skipped/></testcase></testsuite></testsuite></testsuites>`;
    const totals = parseJUnit(xml, 'r.xml');
    assert.deepEqual([totals.passed, totals.failed, totals.skipped, totals.seconds], [1, 2, 1, 0.75]);
    assert.deepEqual(totals.failures[0], { name: 'm.bad <1>', message: '1 != 2' });
    assert.deepEqual(totals.failures[1], { name: 'err', message: 'boom' });
  });

  it('may be one suite alone, and add up', () => {
    const one = parseJUnit('<testsuite><testcase name="a"/></testsuite>', 'r.xml');
    assert.equal(addTotals(one, addTotals(one, noTests)).passed, 2);
  });

  for (const text of ['', 'not xml', '<html></html>', '<testsuite><testcase></testsuite>'])
    it(`are refused when the file is ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseJUnit(text, 'r.xml'), /r\.xml is not a JUnit result file/);
    });
});

describe('a Python version', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['3.11.7', '3.x', true],
    ['3.11.7', '3', true],
    ['3.11.7', '3.11', true],
    ['3.11.7', '3.1', false],
    ['3.11.7', '3.11.x', true],
    ['3.11.7', '>=3.9', true],
    ['3.11.7', '>=3.9 <3.11', false],
    ['3.9.1', '>3.9.1', false],
    ['3.9.1', 'pypy3', false],
  ];
  for (const [version, spec, expected] of cases)
    it(`${version} ${expected ? 'is' : 'is not'} what '${spec}' asks for`, () => {
      assert.equal(satisfiesPython(version, spec), expected);
    });
});

describe('an aligned table', () => {
  it('has columns of one width, colours not counted', () => {
    const red = '\u001b[31mab\u001b[39m';
    assert.deepEqual(
      alignedTable(
        [
          ['a', 'x'],
          [red, 'y'],
          ['✓ é', 'z'],
        ],
        ' ',
      ),
      [' a    x', ` ${red}   y`, ' ✓ é  z'],
    );
  });
});
