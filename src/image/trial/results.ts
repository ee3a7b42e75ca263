import { DeliveryError } from '../../errors.ts';
import { formatSeconds, markdownTable } from '../../report/format.ts';
import type { CaseResult } from './ask.ts';
import type { TrialReport } from './trial.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

/** Text for XML 1.0, without the characters that it cannot hold. */
function xml(text: string): string {
  const valid = [...text].filter((one) => {
    const code = one.codePointAt(0) ?? 0;
    const control = code < 0x20 && code !== 0x09 && code !== 0x0a;
    return !control && code !== 0xfffe && code !== 0xffff && (code < 0xd800 || code > 0xdfff);
  });
  return valid.join('').replace(/[&<>"\n]/g, (one) => entities[one] ?? one);
}

function testCase(suite: string, { name, request, seconds, problems }: CaseResult): string {
  const start = `    <testcase classname="${xml(suite)}" name="${xml(name)}" time="${seconds.toFixed(3)}"`;
  if (problems.length === 0) return `${start}/>`;
  const text = xml(`${request}\n${problems.join('\n')}`);
  return `${start}>\n      <failure message="${xml(problems[0] ?? '')}">${text}</failure>\n    </testcase>`;
}

/** The results as JUnit writes them, which Azure Pipelines reads as test results. */
export function junit(suite: string, report: TrialReport): string {
  const { cases, logs } = report;
  const failures = cases.filter((one) => one.problems.length > 0).length;
  const time = cases.reduce((sum, one) => sum + one.seconds, 0).toFixed(3);
  const counts = `tests="${cases.length}" failures="${failures}" errors="0" skipped="0" time="${time}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="${xml(suite)}" ${counts}>`,
    ...cases.map((one) => testCase(suite, one)),
    `    <system-out>${xml(logs.join('\n'))}</system-out>`,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** The cases as a Markdown table for the run's summary. */
export function trialTable(report: TrialReport): string {
  return markdownTable(
    ['Request', '', 'Result', 'Time'],
    report.cases.map((one) => [
      one.name,
      one.request,
      one.problems.length === 0 ? 'as expected' : one.problems.join('; '),
      formatSeconds(one.seconds),
    ]),
  );
}

/** Each case as a line of the log, what is wrong with it below. */
export function trialLines(report: TrialReport): readonly string[] {
  return report.cases.flatMap(({ name, request, seconds, problems }) => [
    `  ${problems.length === 0 ? 'passed' : 'FAILED'}  ${name}: ${request} (${formatSeconds(seconds)})`,
    ...problems.map((problem) => `          ${problem}`),
  ]);
}

/** Throws TEST_FAILED when an answer is not the expected one. */
export function checkTrial({ cases }: TrialReport): void {
  const wrong = cases.filter((one) => one.problems.length > 0);
  const [first] = wrong;
  if (first === undefined) return;
  throw new DeliveryError({
    code: 'TEST_FAILED',
    side: 'application',
    message: `${wrong.length} of ${cases.length} requests to the new image were not answered as expected, so nothing was tagged. First: ${first.name}: ${first.problems[0]}.`,
    remedy:
      'Correct application or model; or, when the new answers are approved, write them into the golden file.',
  });
}
