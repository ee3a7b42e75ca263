import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { summaryType } from './commands/task.ts';
import type { PipelineOptions } from './options.ts';
import { combineResults, type PipelineResult, type StageResult } from './results.ts';
import type { RunContext } from './run/context.ts';
import { prepareRun } from './run/prepare.ts';
import { runStages } from './run/stages.ts';
import { startBuildService } from './service/builds.ts';

export type { PipelineOptions } from './options.ts';
export type { Printer } from './report/printer.ts';
export type * from './results.ts';

function allOutputs(stages: readonly StageResult[]): Record<string, string> {
  const entries = stages.flatMap((stage) =>
    stage.jobs.flatMap((job) =>
      job.steps.flatMap((step) =>
        Object.entries(step.outputs).map(([name, value]) => {
          const path = [stage.displayName === '' ? '' : stage.name, job.name, step.name, name];
          return [path.filter(Boolean).join('.'), value];
        }),
      ),
    ),
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

function resultOf(run: RunContext, stages: readonly StageResult[], seconds: number): PipelineResult {
  const { state, artifacts, buildId } = run;
  return {
    result: run.signal.aborted ? 'Canceled' : combineResults(stages.map(({ result }) => result)),
    file: run.pipeline.file,
    definitionName: run.definitionName,
    buildId,
    buildNumber: state.buildNumber,
    sourceVersion: run.source.version,
    seconds,
    stages,
    outputs: allOutputs(stages),
    summaries: state.attachments.filter(({ type }) => type === summaryType),
    attachments: state.attachments,
    artifacts: artifacts.list(buildId).map((name) => ({ name, folder: artifacts.folderOf(buildId, name) })),
    tags: state.tags,
    ...(state.tests === undefined ? {} : { testResults: state.tests }),
    logFolder: run.folders.logs,
  };
}

/** The stages, with a service beside them that tells tasks of earlier runs, unless the caller has one. */
async function stagesOf(run: RunContext, options: PipelineOptions): Promise<readonly StageResult[]> {
  if (options.system?.url !== undefined) return runStages(run);
  const service = await startBuildService(run.artifacts, run.system.accessToken);
  try {
    return await runStages({ ...run, system: { ...run.system, url: `${service.url}/` } });
  } finally {
    await service.close();
  }
}

/**
 * Runs a pipeline's YAML file on this machine by the agent's contract: a process per step, inputs and service
 * connections in its environment, logging commands in its output. A run that fails is a result, not an error.
 * Throws PIPELINE_INVALID (with file, line, column), TASK_UNKNOWN, CONNECTIONS_INVALID and the like before
 * anything runs.
 */
export async function runPipeline(options: PipelineOptions): Promise<PipelineResult> {
  const run = await prepareRun(options);
  const started = performance.now();
  const { definitionName, buildId, source, artifacts } = run;
  const record = (result: string): void =>
    artifacts.record({
      definitionName,
      buildId,
      buildNumber: run.state.buildNumber,
      sourceBranch: source.branch,
      sourceVersion: source.version,
      result,
    });
  record('Running');
  run.printer.start(`${run.pipeline.file}  run ${run.state.buildNumber}`, run.pipeline.notes);
  const stages = await stagesOf(run, options).catch((error: unknown) => {
    record('Failed');
    throw error;
  });
  const result = resultOf(run, stages, (performance.now() - started) / 1000);
  record(result.result);
  for (const folder of [run.folders.tools, join(run.folders.work, '_tasks')])
    await rm(folder, { recursive: true, force: true });
  run.printer.end(result);
  return result;
}
