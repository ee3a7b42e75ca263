import type { TestTotals } from './steps/junit.ts';

/** How a step, job, stage or pipeline ended, by the service's names. */
export type TaskResult = 'Succeeded' | 'SucceededWithIssues' | 'Failed' | 'Canceled' | 'Skipped';

/** A warning or an error that a step reported; secrets are already masked. */
export interface Issue {
  readonly type: 'warning' | 'error';
  readonly message: string;
}

export interface StepResult {
  /** Reference name: the YAML's `name`, or the one that the service makes up (`FetchModel`, `FetchModel1`). */
  readonly name: string;
  readonly displayName: string;
  /** For example `FetchModel@1`, `script`, `checkout`. */
  readonly task: string;
  readonly result: TaskResult;
  readonly seconds: number;
  /** Output variables of the step; values of secret ones are `***`. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly issues: readonly Issue[];
  readonly logFile: string;
}

export interface JobResult {
  readonly name: string;
  readonly displayName: string;
  readonly result: TaskResult;
  readonly seconds: number;
  readonly steps: readonly StepResult[];
}

export interface StageResult {
  readonly name: string;
  readonly displayName: string;
  readonly result: TaskResult;
  readonly jobs: readonly JobResult[];
}

/** A document that a step gave to the run: kept below the run's logs. */
export interface Attachment {
  readonly step: string;
  readonly type: string;
  readonly name: string;
  readonly file: string;
}

export interface PublishedArtifact {
  readonly name: string;
  readonly folder: string;
}

export interface PipelineResult {
  readonly result: TaskResult;
  readonly file: string;
  readonly definitionName: string;
  readonly buildId: number;
  readonly buildNumber: string;
  readonly sourceVersion: string;
  readonly seconds: number;
  readonly stages: readonly StageResult[];
  /** Every output variable by `stage.job.step.variable`; values of secret ones are `***`. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Markdown files of `task.uploadsummary`. */
  readonly summaries: readonly Attachment[];
  readonly attachments: readonly Attachment[];
  readonly artifacts: readonly PublishedArtifact[];
  readonly tags: readonly string[];
  /** Absent when no step published test results. */
  readonly testResults?: TestTotals;
  readonly logFolder: string;
}

const rank: Readonly<Record<TaskResult, number>> = {
  Succeeded: 0,
  SucceededWithIssues: 1,
  Failed: 2,
  Canceled: 2,
  Skipped: 2,
};

/** The worse of two results; once failed or cancelled, the first stays (TaskResultUtil of the agent). */
export function mergeResults(current: TaskResult | undefined, next: TaskResult): TaskResult {
  return current === undefined || rank[next] > rank[current] ? next : current;
}

/** A job's or stage's result from its parts: skipped parts count for nothing, unless there is no other. */
export function combineResults(parts: readonly TaskResult[]): TaskResult {
  const done = parts.filter((part) => part !== 'Skipped');
  if (done.length === 0) return parts.length === 0 ? 'Succeeded' : 'Skipped';
  if (done.includes('Canceled')) return 'Canceled';
  return done.reduce<TaskResult>((worst, part) => mergeResults(worst, part), 'Succeeded');
}
