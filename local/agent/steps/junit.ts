import { XMLParser } from 'fast-xml-parser';
import { DeliveryError } from '../../../src/errors.ts';

export interface FailedTest {
  readonly name: string;
  readonly message: string;
}

/** Totals of published test results. */
export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly failures: readonly FailedTest[];
}

interface XmlCase {
  readonly name?: string;
  readonly classname?: string;
  readonly time?: string;
  readonly failure?: readonly unknown[];
  readonly error?: readonly unknown[];
  readonly skipped?: readonly unknown[];
}

interface XmlSuite {
  readonly testsuite?: readonly XmlSuite[];
  readonly testcase?: readonly XmlCase[];
}

const lists = new Set(['testsuite', 'testcase', 'failure', 'error', 'skipped']);

function casesOf(suite: XmlSuite): XmlCase[] {
  return [...(suite.testcase ?? []), ...(suite.testsuite ?? []).flatMap(casesOf)];
}

function messageOf(problem: unknown): string {
  if (typeof problem !== 'object' || problem === null) return String(problem ?? '');
  const { message, '#text': text } = problem as { message?: string; '#text'?: string };
  return message || text || '';
}

function isFailed(test: XmlCase): boolean {
  return test.failure !== undefined || test.error !== undefined;
}

function failureOf(test: XmlCase): FailedTest {
  const name = [test.classname, test.name].filter((part) => part !== undefined && part !== '').join('.');
  const [problem] = [...(test.failure ?? []), ...(test.error ?? [])];
  return { name, message: messageOf(problem).split('\n')[0] ?? '' };
}

/** Totals of one JUnit file, as pytest, mocha and others write it. Throws TEST_RESULTS_INVALID. */
export function parseJUnit(xml: string, file: string): TestTotals {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: false,
    isArray: (name) => lists.has(name),
  });
  let document: { testsuites?: XmlSuite } & XmlSuite;
  try {
    document = parser.parse(xml, true) as typeof document;
  } catch (cause) {
    throw invalid(file, cause);
  }
  if (document.testsuites === undefined && document.testsuite === undefined) throw invalid(file, undefined);
  const cases = [...casesOf(document), ...casesOf(document.testsuites || {})];
  const failures = cases.filter(isFailed).map(failureOf);
  const skipped = cases.filter((test) => !isFailed(test) && test.skipped !== undefined).length;
  return {
    passed: cases.length - failures.length - skipped,
    failed: failures.length,
    skipped,
    seconds: cases.reduce((sum, test) => sum + (Number(test.time) || 0), 0),
    failures,
  };
}

function invalid(file: string, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'TEST_RESULTS_INVALID',
    side: 'agent',
    message: `${file} is not a JUnit result file.`,
    remedy: 'Check that the test runner finished and wrote JUnit XML.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export const noTests: TestTotals = { passed: 0, failed: 0, skipped: 0, seconds: 0, failures: [] };

export function addTotals(a: TestTotals, b: TestTotals): TestTotals {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    seconds: a.seconds + b.seconds,
    failures: [...a.failures, ...b.failures],
  };
}
