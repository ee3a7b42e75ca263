import type { AgentNetwork } from '../../src/host/network.ts';
import type { CancelTimes } from './process.ts';
import type { Screen } from './report/console.ts';
import type { Printer } from './report/printer.ts';
import type { SystemConnection } from './task/environment.ts';

/** What a run is started with; only `file` is needed. */
export interface PipelineOptions {
  /** The pipeline's YAML file. */
  readonly file: string;
  /** What `checkout: self` brings. Default: the git repository around the file, else the file's folder. */
  readonly workingCopy?: string;
  /** Extensions whose tasks may be used: .vsix files, or folders of the same layout. */
  readonly vsix?: string | readonly string[];
  /** JSON file of service connections. */
  readonly connectionsFile?: string;
  /** Variables that hide the file's own. */
  readonly variables?: Readonly<Record<string, string | { readonly value: string; readonly secret: true }>>;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Names of the stages to run; default: all. */
  readonly stages?: readonly string[];
  /** Node that runs the tasks' handlers; its version chooses between Node24 and Node20_1. Default: this one. */
  readonly node?: string;
  /** Default: a new folder, removed after the run but for its logs. */
  readonly workFolder?: string;
  /** Artifacts of all runs. Default: in the work folder. */
  readonly artifactsFolder?: string;
  /** Default: one more than the newest run in the artifacts folder. */
  readonly buildId?: number;
  readonly buildNumber?: string;
  /** What other pipelines name as `source`. Default: the file's name without its ending. */
  readonly definitionName?: string;
  /** Cancels the run. */
  readonly signal?: AbortSignal;
  /** Where the run is printed; false: nowhere. Default: standard output. */
  readonly screen?: Screen | false;
  /** Default: on a terminal, unless NO_COLOR is set. */
  readonly colours?: boolean;
  /** Instead of `screen`. */
  readonly printer?: Printer;
  /** The machine's environment. Default: this process's. */
  readonly environment?: NodeJS.ProcessEnv;
  /**
   * Azure DevOps itself, as tasks see it. Default: what earlier runs left, at an address of this
   * machine, and a random token.
   */
  readonly system?: Partial<SystemConnection>;
  /** Proxy and certificates that the agent was configured with. */
  readonly network?: AgentNetwork;
  readonly cancelTimes?: CancelTimes;
  /** Milliseconds before retry n (from 0). Default: the agent's, (n + 1)² seconds. */
  readonly retryDelayMs?: (retry: number) => number;
}
