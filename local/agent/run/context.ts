import type { AgentNetwork } from '../../../src/host/network.ts';
import type { ArtifactStore } from '../artifacts.ts';
import type { Connection } from '../connections.ts';
import type { CancelTimes } from '../process.ts';
import type { Printer } from '../report/printer.ts';
import type { SourceInfo } from '../repository.ts';
import type { Attachment, Issue, TaskResult } from '../results.ts';
import type { SecretMasker } from '../secrets.ts';
import type { TestTotals } from '../steps/junit.ts';
import type { SystemConnection } from '../task/environment.ts';
import type { TaskCatalog } from '../task/extension.ts';
import type { Variables } from '../variables.ts';
import type { Job, Pipeline, Stage } from '../yaml/model.ts';

/** What the steps of a run add to it. */
export interface RunState {
  buildNumber: string;
  tests: TestTotals | undefined;
  readonly attachments: Attachment[];
  readonly tags: string[];
}

/** A variable given from outside, which hides those of the file. */
export interface GivenVariable {
  readonly name: string;
  readonly value: string;
  readonly secret: boolean;
}

/** One run of a pipeline. */
export interface RunContext {
  readonly pipeline: Pipeline;
  readonly definitionName: string;
  readonly buildId: number;
  readonly startTime: Date;
  readonly source: SourceInfo;
  readonly workingCopy: string;
  readonly folders: RunFolders;
  readonly machine: Readonly<Record<string, string>>;
  readonly node: { readonly path: string; readonly major: number };
  readonly system: SystemConnection;
  readonly network: AgentNetwork;
  readonly given: readonly GivenVariable[];
  readonly connections: readonly Connection[];
  readonly catalog: TaskCatalog;
  readonly artifacts: ArtifactStore;
  readonly masker: SecretMasker;
  readonly printer: Printer;
  readonly cancelTimes: CancelTimes;
  /** Milliseconds before retry n (from 0) of a failed task. */
  readonly retryDelayMs: (retry: number) => number;
  readonly signal: AbortSignal;
  readonly state: RunState;
}

export interface RunFolders {
  readonly work: string;
  readonly logs: string;
  readonly tools: string;
}

/** Folders of one job; made before it and removed after it. */
export interface JobFolders {
  /** `Pipeline.Workspace`. */
  readonly workspace: string;
  readonly sources: string;
  readonly staging: string;
  readonly binaries: string;
  readonly testResults: string;
  readonly temp: string;
}

export interface JobContext {
  readonly run: RunContext;
  readonly stage: Stage;
  readonly job: Job;
  readonly folders: JobFolders;
  readonly variables: Variables;
  /** Process groups that steps left running; they end with the job, as on the agent. */
  readonly leftGroups: number[];
  /** Newest last. */
  readonly prependedPaths: string[];
  /** `Agent.JobStatus`. */
  status: TaskResult;
}

/** A step while it runs. */
export interface StepContext {
  readonly job: JobContext;
  /** Reference name. */
  readonly name: string;
  readonly displayName: string;
  readonly signal: AbortSignal;
  readonly issues: Issue[];
  readonly outputs: Map<string, { readonly value: string; readonly secret: boolean }>;
  readonly taskVariables: Map<string, string>;
  result: TaskResult | undefined;
  /** A line of text for the log; masked before anybody sees it. */
  log(text: string): void;
  issue(type: Issue['type'], message: string): void;
  progress(percent: number, what: string): void;
}
