/** One command for a pod inside the cluster. */
export interface CommandRequest {
  /** A line for the pod's shell, run in the folder of the files. */
  readonly command: string;
  /** Text by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Longest time that the result is waited for. */
  readonly timeoutMs: number;
}

/** What a command that ran to its end left behind. */
export interface CommandResult {
  readonly exitCode: number;
  /** What it printed, as far as the service keeps it. */
  readonly log: string;
}

/** Runs one command beside the API server; it has kubectl, a POSIX shell and awk. Throws RUN_COMMAND_… errors. */
export type RunCommand = (request: CommandRequest) => Promise<CommandResult>;
