import { lookupOf, type Value } from '../expressions/values.ts';
import { combineResults, type JobResult, type StageResult, type TaskResult } from '../results.ts';
import type { Job, Stage } from '../yaml/model.ts';
import type { RunContext } from './context.ts';
import { jobVariables, runJob } from './job.ts';
import { conditionHolds, dependenciesOf, type EndedNode, type NodeView, nodeStatus } from './status.ts';

type Ended<T> = Map<string, EndedNode & { readonly dependsOn: readonly string[]; readonly node: T }>;

interface StageEnd {
  readonly result: StageResult;
  readonly jobs: Ended<Job>;
}

/** The nodes in an order in which each comes after what it depends on; else in the file's order. */
function inOrder<T extends { name: string; dependsOn: readonly string[] }>(nodes: readonly T[]): T[] {
  const ordered: T[] = [];
  const waiting = [...nodes];
  while (waiting.length > 0) {
    const isReady = (node: T): boolean =>
      node.dependsOn.every((name) => !waiting.some((other) => other.name === name));
    const [next] = waiting.splice(Math.max(0, waiting.findIndex(isReady)), 1);
    if (next !== undefined) ordered.push(next);
  }
  return ordered;
}

function viewOf(run: RunContext, node: Job | Stage, ended: NodeView['ended']): NodeView {
  return { dependsOn: node.dependsOn, ended, canceled: run.signal.aborted };
}

/** `stageDependencies`: the jobs of the stages that this stage names in dependsOn. */
function stageDependencies(stage: Stage, stages: ReadonlyMap<string, StageEnd>): Value {
  const entries = stage.dependsOn.map((name) => {
    const jobs = [...(stages.get(name)?.jobs ?? [])].map(([job, end]) => [
      job,
      lookupOf({ result: end.result, outputs: lookupOf(end.outputs) }),
    ]);
    return [name, lookupOf(Object.fromEntries(jobs) as Record<string, Value>)];
  });
  return lookupOf(Object.fromEntries(entries) as Record<string, Value>);
}

/** A deployment job's outputs are read by `job.step.variable`, and by `step.variable` as the service also takes. */
function readableOutputs(job: Job, outputs: Readonly<Record<string, string>>): Record<string, string> {
  if (job.kind === 'job') return outputs;
  const prefixed = Object.entries(outputs).map(([name, value]) => [`${job.name}.${name}`, value]);
  return { ...outputs, ...(Object.fromEntries(prefixed) as Record<string, string>) };
}

function passedOver(node: Job, result: TaskResult): JobResult {
  return { name: node.name, displayName: node.displayName, result, seconds: 0, steps: [] };
}

function whyNot(run: RunContext): readonly [TaskResult, string] {
  return run.signal.aborted
    ? ['Canceled', 'the run was cancelled']
    : ['Skipped', 'its condition does not hold'];
}

async function runJobs(
  run: RunContext,
  stage: Stage,
  stages: ReadonlyMap<string, StageEnd>,
): Promise<StageEnd> {
  const ended: Ended<Job> = new Map();
  const results = new Map<string, JobResult>();
  for (const job of inOrder(stage.jobs)) {
    const view = viewOf(run, job, ended);
    const objects = {
      dependencies: dependenciesOf(view),
      stagedependencies: stageDependencies(stage, stages),
    };
    const variables = jobVariables(run, stage, job, objects);
    const wanted = !run.signal.aborted && conditionHolds(job.condition, variables, objects, nodeStatus(view));
    let end: Awaited<ReturnType<typeof runJob>>;
    if (wanted) {
      if (stage.displayName !== '' || stage.jobs.length > 1)
        run.printer.job(variables.expand(job.displayName));
      end = await runJob(run, stage, job, variables);
    } else {
      const [result, reason] = whyNot(run);
      run.printer.skipped(`Job ${job.displayName}`, reason);
      end = { result: passedOver(job, result), outputs: {} };
    }
    results.set(job.name, end.result);
    const outputs = readableOutputs(job, end.outputs);
    ended.set(job.name, { result: end.result.result, outputs, dependsOn: job.dependsOn, node: job });
  }
  const jobs = stage.jobs.flatMap(({ name }) => results.get(name) ?? []);
  const result = combineResults(jobs.map((job) => job.result));
  return { result: { name: stage.name, displayName: stage.displayName, result, jobs }, jobs: ended };
}

function stageOutputs(end: StageEnd): Record<string, string> {
  const entries = [...end.jobs].flatMap(([job, { outputs }]) =>
    Object.entries(outputs).map(([name, value]) => [`${job}.${name}`, value]),
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

function skippedStage(stage: Stage, result: TaskResult): StageEnd {
  const jobs = stage.jobs.map((job) => passedOver(job, result));
  return { result: { name: stage.name, displayName: stage.displayName, result, jobs }, jobs: new Map() };
}

function stageWanted(run: RunContext, stage: Stage, view: NodeView): boolean {
  const [job] = stage.jobs;
  if (run.signal.aborted || job === undefined) return false;
  const objects = { dependencies: dependenciesOf(view) };
  const outside = { ...stage, variables: [] };
  const variables = jobVariables(run, outside, { ...job, variables: [] }, objects);
  return conditionHolds(stage.condition, variables, objects, nodeStatus(view));
}

/** Runs the stages one after another, each after those that it depends on. */
export async function runStages(run: RunContext): Promise<StageResult[]> {
  const ends = new Map<string, StageEnd>();
  const ended: Ended<Stage> = new Map();
  for (const stage of inOrder(run.pipeline.stages)) {
    const view = viewOf(run, stage, ended);
    let end: StageEnd;
    if (stageWanted(run, stage, view)) {
      if (stage.displayName !== '') run.printer.stage(stage.displayName);
      end = await runJobs(run, stage, ends);
    } else {
      const [result, reason] = whyNot(run);
      run.printer.skipped(`Stage ${stage.displayName}`, reason);
      end = skippedStage(stage, result);
    }
    ends.set(stage.name, end);
    const outputs = stageOutputs(end);
    ended.set(stage.name, { result: end.result.result, outputs, dependsOn: stage.dependsOn, node: stage });
  }
  return run.pipeline.stages.flatMap(({ name }) => ends.get(name)?.result ?? []);
}
