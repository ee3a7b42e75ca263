import type { Expression } from '../expressions/parser.ts';
import type { Place, ScalarTree } from './tree.ts';

/** A condition with the text it came from, so that an error in it can name its place. */
export interface Condition {
  readonly source: ScalarTree;
  readonly expression: Expression;
}

export interface VariableDeclaration {
  readonly name: string;
  readonly value: string;
  readonly readOnly: boolean;
  /** Of `$[ ]`, which is evaluated when the job begins. */
  readonly expression?: Expression;
  readonly source: ScalarTree;
}

interface StepCommon {
  readonly name?: string;
  readonly displayName?: string;
  readonly condition?: Condition;
  readonly enabled: boolean;
  readonly continueOnError: boolean;
  /** 0: no limit. */
  readonly timeoutMinutes: number;
  readonly retryCount: number;
  readonly env: Readonly<Record<string, string>>;
  readonly place: Place;
}

export type Shell = 'script' | 'bash' | 'pwsh' | 'powershell';

export type Step = StepCommon &
  (
    | {
        readonly kind: 'script';
        readonly shell: Shell;
        readonly script: string;
        readonly workingDirectory: string;
        readonly failOnStderr: boolean;
      }
    | { readonly kind: 'checkout'; readonly repository: 'self' | 'none' }
    | {
        readonly kind: 'task';
        /** As written: `FetchModel@1`, `publisher.extension.contribution.FetchModel@1`. */
        readonly reference: string;
        readonly inputs: Readonly<Record<string, string>>;
      }
    | { readonly kind: 'noDownload' }
  );

export interface Job {
  readonly name: string;
  readonly displayName: string;
  readonly kind: 'job' | 'deployment';
  readonly environment: string;
  readonly dependsOn: readonly string[];
  readonly condition?: Condition;
  readonly continueOnError: boolean;
  readonly timeoutMinutes: number;
  readonly cancelTimeoutMinutes: number;
  readonly variables: readonly VariableDeclaration[];
  readonly steps: readonly Step[];
  readonly place: Place;
}

export interface Stage {
  readonly name: string;
  readonly displayName: string;
  readonly dependsOn: readonly string[];
  readonly condition?: Condition;
  readonly variables: readonly VariableDeclaration[];
  readonly jobs: readonly Job[];
  readonly place: Place;
}

/** `resources.pipelines`: another pipeline, whose artifacts a run may download. */
export interface PipelineResource {
  readonly alias: string;
  readonly source: string;
  readonly place: Place;
}

export interface Pipeline {
  readonly file: string;
  /** Format of the run's number. */
  readonly name: string;
  readonly variables: readonly VariableDeclaration[];
  readonly stages: readonly Stage[];
  readonly pipelineResources: readonly PipelineResource[];
  /** What the file asks for and a local run does otherwise; a line each. */
  readonly notes: readonly string[];
}
