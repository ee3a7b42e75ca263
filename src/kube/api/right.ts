/** One right that a release needs. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  /** With subresource, for example `pods/log`. */
  readonly resource: string;
  /** Absent for resources of the whole cluster. */
  readonly namespace?: string;
  /** False where the release goes on without it and only says less. */
  readonly required: boolean;
}
