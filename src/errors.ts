/** The part of the system that a failure came from: it tells the reader of the log where to look first. */
export type Side =
  | 'input'
  | 'agent'
  | 'identity'
  | 'storage'
  | 'registry'
  | 'engine'
  | 'cluster'
  | 'application';

/** What {@link DeliveryError} is made from. */
export interface ErrorDetails {
  /** Stable, searchable name of the failure, for example `MODEL_NOT_FOUND`. */
  readonly code: string;
  readonly side: Side;
  /** What failed, with the names involved; one sentence. */
  readonly message: string;
  /** What the reader can do about it; one or two sentences. */
  readonly remedy: string;
  readonly cause?: unknown;
}

/** A failure explained to the person who reads the log: what failed, on which side, why, and what to do. */
export class DeliveryError extends Error {
  readonly code: string;
  readonly side: Side;
  readonly remedy: string;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'DeliveryError';
    this.code = details.code;
    this.side = details.side;
    this.remedy = details.remedy;
  }
}

const sideNames: Readonly<Record<Side, string>> = {
  input: "the task's inputs",
  agent: 'the agent',
  identity: 'the sign-in',
  storage: 'the model storage',
  registry: 'the container registry',
  engine: 'the container engine',
  cluster: 'the Kubernetes cluster',
  application: 'the application',
};

/** The messages of an error and its causes, outermost first, each said once. */
function causeChain(error: unknown): string[] {
  const messages: string[] = [];
  for (let current = error; current !== undefined && current !== null && messages.length < 5; ) {
    const message = current instanceof Error ? current.message || current.name : String(current);
    if (!messages.some((said) => said.includes(message))) messages.push(message);
    current =
      current instanceof AggregateError
        ? current.errors[0]
        : current instanceof Error
          ? current.cause
          : undefined;
  }
  return messages;
}

/** The error as the log shows it: message, where, cause and remedy, a line each. */
export function explain(error: unknown): string {
  if (!(error instanceof DeliveryError)) {
    const [message = 'Unknown error', ...causes] = causeChain(error);
    return [`${message}`, ...causes.map((cause) => `Cause: ${cause}`), 'Code: UNEXPECTED'].join('\n');
  }
  const causes = causeChain(error.cause);
  return [
    error.message,
    `Where: ${sideNames[error.side]}`,
    ...causes.map((cause) => `Cause: ${cause}`),
    `What to do: ${error.remedy}`,
    `Code: ${error.code}`,
  ].join('\n');
}
