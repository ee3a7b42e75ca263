import type { PipelineResult, TaskResult } from '../results.ts';

/** Everything that a run says while it goes on; all texts are masked before they come here. */
export interface Printer {
  start(title: string, notes: readonly string[]): void;
  stage(displayName: string): void;
  job(displayName: string): void;
  /** A stage or job that did not run, and why. */
  skipped(what: string, reason: string): void;
  step(displayName: string, task: string): void;
  /** One line of the running step's log; may begin with `##[error]` and the like. */
  line(text: string): void;
  progress(percent: number, what: string): void;
  stepEnd(displayName: string, result: TaskResult, seconds: number): void;
  end(result: PipelineResult): void;
}
