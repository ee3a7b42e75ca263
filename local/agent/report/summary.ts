import { formatSeconds } from '../../../src/report/format.ts';
import type { JobResult, PipelineResult } from '../results.ts';
import { resultText, type Style } from './style.ts';
import { alignedTable } from './table.ts';

function jobRows(job: JobResult, style: Style): string[][] {
  return job.steps.map((step) => [
    step.displayName,
    style.dim(step.task),
    resultText(style, step.result),
    formatSeconds(step.seconds),
  ]);
}

function stepTable(result: PipelineResult, style: Style): string[] {
  const jobs = result.stages.flatMap((stage) =>
    stage.jobs.map((job) => ({
      job,
      title: stage.displayName === '' ? job.displayName : `${stage.displayName} › ${job.displayName}`,
    })),
  );
  const heading = ['Step', 'Task', 'Result', 'Duration'].map(style.bold);
  const rows = jobs.flatMap(({ job, title }) => [
    ...(jobs.length > 1
      ? [[style.blue(title), '', resultText(style, job.result), formatSeconds(job.seconds)]]
      : []),
    ...jobRows(job, style).map(([name = '', ...rest]) => [jobs.length > 1 ? `  ${name}` : name, ...rest]),
  ]);
  return alignedTable([heading, ...rows], '  ');
}

function section(title: string, lines: readonly string[], style: Style): string[] {
  return lines.length === 0 ? [] : ['', style.bold(title), ...lines.map((line) => `  ${line}`)];
}

function testLines(result: PipelineResult, style: Style): string[] {
  const tests = result.testResults;
  if (tests === undefined) return [];
  const counts = `${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`;
  const failures = tests.failures.map(({ name, message }) => style.red(`${name}: ${message}`));
  return [`${counts} in ${formatSeconds(tests.seconds)}`, ...failures];
}

/** The end of a run's log: the table of steps, what it left, and its result. */
export function summaryLines(result: PipelineResult, style: Style): string[] {
  const outputs = Object.entries(result.outputs).map(([name, value]) => [
    style.dim(name),
    value.replace(/\r?\n/g, ' ⏎ '),
  ]);
  return [
    '',
    ...stepTable(result, style),
    ...section('Outputs', alignedTable(outputs), style),
    ...section('Tests', testLines(result, style), style),
    ...section(
      'Artifacts',
      result.artifacts.map(({ name, folder }) => `${name}: ${folder}`),
      style,
    ),
    ...section(
      'Summaries',
      result.summaries.map(({ file }) => file),
      style,
    ),
    ...section('Tags', result.tags, style),
    '',
    `${style.bold(`Run ${result.buildNumber}`)} ${resultText(style, result.result)} in ` +
      `${formatSeconds(result.seconds)}; logs: ${result.logFolder}`,
  ];
}
