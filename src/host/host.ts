/** A service connection as the agent hands it to the task that names it. */
export interface ServiceConnection {
  readonly id: string;
  readonly url: string;
  /** For example `UsernamePassword`, `Kubernetes`, `WorkloadIdentityFederation`. */
  readonly scheme: string;
  /** Authorization parameters by lower-case name; secrets among them are already registered for masking. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Data fields by lower-case name, for example `registrytype`. */
  readonly data: Readonly<Record<string, string>>;
}

/** How the running job proves to others which pipeline it is. */
export interface PipelineIdentity {
  /** Address that gives OIDC tokens for a service connection; undefined where the server has none. */
  readonly oidcRequestUri?: string;
  /** The job's own access token (System.AccessToken), registered for masking. */
  readonly accessToken: string;
}

/** A variable of the pipeline; an environment variable of the agent is none. */
export interface PipelineVariable {
  /** As the pipeline writes it, for example `Build.BuildId`. */
  readonly name: string;
  readonly value: string;
  readonly isSecret: boolean;
}

/** Where a task writes for people: every line is neutralised, so text from outside cannot carry a command. */
export interface Log {
  info(text: string): void;
  warning(text: string): void;
  debug(text: string): void;
  /** The running task's percentage (0 to 100) in the agent's user interface. */
  progress(percent: number, what: string): void;
}

/** All that a task may ask of the agent that runs it. */
export interface Host {
  readonly log: Log;
  /** Aborted when the agent cancels the task; every long operation takes it. */
  readonly cancelled: AbortSignal;
  /** The agent's folder for temporary files, emptied after the job. */
  readonly temporaryFolder: string;
  /** Folder that relative paths in inputs start from. */
  readonly workingFolder: string;
  /** What child processes run with; task-lib has taken inputs and secrets out of it. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** An input's trimmed value; undefined when it is empty. */
  input(name: string): string | undefined;
  /** An agent variable, for example `Build.SourceVersion`; undefined when it is not set. */
  variable(name: string): string | undefined;
  /** All variables of the pipeline that this job has a value of. */
  pipelineVariables(): readonly PipelineVariable[];
  /** The service connection with this id. Throws SERVICE_CONNECTION_MISSING when the agent did not hand it over. */
  connection(id: string): ServiceConnection;
  /** What `make` gave at the first call with this name: made once a run, for all who ask by it. */
  once<T>(name: string, make: () => T): T;
  /** The job's own identity; undefined where the agent hands over none. */
  pipelineIdentity(): PipelineIdentity | undefined;
  /** Sets an output variable of the step. */
  output(name: string, value: string): void;
  /** Registers a value (and each of its lines) for masking, before anything could print it. */
  secret(value: string): void;
  /** Adds a Markdown section to the run's summary page. */
  summary(title: string, markdown: string): void;
  /** Attaches a small document to the run for the results tab. */
  attachment(type: string, name: string, content: string): void;
  /** Publishes test results, written as JUnit does, under this title on the run's Tests page; gives their file. */
  testResults(title: string, junit: string): string;
}
