import type { Credentials } from '../../oci/auth.ts';
import type { Platform } from '../../oci/types.ts';

/** A build as Azure Container Registry's Tasks are told of it. */
export interface TaskBuild {
  /** Where the context was uploaded to, as {@link RegistryTasks.uploadPlace} named it. */
  readonly contextPath: string;
  /** Path of the Dockerfile within the context. */
  readonly dockerfile: string;
  readonly target?: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  readonly platform: Platform;
  /** Name that the image gets in the registry, `repository:tag`. */
  readonly imageName: string;
  /** For private base images, by host of registries other than the target's. */
  readonly credentials: Readonly<Record<string, Credentials>>;
  /** After which the service ends the run, in seconds. */
  readonly timeoutSeconds: number;
  /** A pool of the user's own machines, within a network of their own. */
  readonly agentPool?: string;
}

export interface TaskRun {
  /** Queued, Started, Running, Succeeded, Failed, Canceled, Error or Timeout. */
  readonly status: string;
  /** Digest of the image that the run has pushed, where the service says it. */
  readonly imageDigest?: string;
  /** What the service says about a run that could not even begin. */
  readonly reason?: string;
}

/** Where a context goes: an address that may be written to, and how a build names it. */
export interface UploadPlace {
  readonly url: string;
  readonly path: string;
}

/** The builds of one Azure container registry. Every method throws DeliveryErrors. */
export interface RegistryTasks {
  /** The registry's login server. */
  readonly registry: string;
  uploadPlace(): Promise<UploadPlace>;
  /** Puts a build into the queue; gives the run's id. Is not ended by the agent's cancel, so that no run is lost. */
  schedule(build: TaskBuild): Promise<string>;
  run(id: string): Promise<TaskRun>;
  /** Address of the run's log, an append blob that may not be there yet. */
  logUrl(id: string): Promise<string>;
  /** Ends the run, also when the agent has cancelled the task. */
  cancel(id: string): Promise<void>;
}
