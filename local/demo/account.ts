import { readFile } from 'node:fs/promises';
import type { PipelineResult } from '../agent/results.ts';
import type { RunningPod } from './pods.ts';
import type { Prediction } from './prediction.ts';

/** A step of a pipeline, as the account tells it. */
export interface StepAccount {
  readonly name: string;
  readonly task: string;
  readonly result: string;
  readonly seconds: number;
}

/** Documents that the tasks attach to the run; their shapes are the tasks' own. */
export interface ModelDocument {
  readonly name: string;
  readonly version: string;
  readonly digest?: string;
  readonly size: number;
  readonly source: { readonly url: string };
  readonly files: readonly {
    readonly path: string;
    readonly size: number;
    readonly name: string;
    readonly etag: string;
  }[];
}

export interface ImageDocument {
  readonly reference: string;
  readonly digest: string;
  readonly layers: readonly unknown[];
  readonly bytesUploaded: number;
  readonly bytesReused: number;
}

export interface DeploymentDocument {
  readonly name: string;
  readonly namespace: string;
  readonly revision: string;
  readonly image: string;
  readonly readyReplicas: number;
  readonly endpointUrl: string;
}

/** One trip through both pipelines: what `--json` writes. */
export interface RoundAccount {
  /** The run that made the image, and the commit that it built. */
  readonly build: { readonly run: string; readonly commit: string };
  readonly steps: readonly StepAccount[];
  readonly model: ModelDocument;
  readonly image: ImageDocument;
  readonly deployment: DeploymentDocument;
  readonly pods: readonly RunningPod[];
  readonly prediction: Prediction;
}

/** The steps of a run in the order they ran. */
export function stepsOf(result: PipelineResult): StepAccount[] {
  return result.stages
    .flatMap((stage) => stage.jobs)
    .flatMap((job) => job.steps)
    .map(({ displayName, task, result: outcome, seconds }) => ({
      name: displayName,
      task,
      result: outcome,
      seconds,
    }));
}

/** The document of this type that a step attached. Throws when the run has none. */
export async function documentOf<T>(result: PipelineResult, type: string): Promise<T> {
  const attachment = result.attachments.findLast((candidate) => candidate.type === type);
  if (attachment === undefined) throw new Error(`No step of ${result.definitionName} attached '${type}'.`);
  return JSON.parse(await readFile(attachment.file, 'utf8')) as T;
}
