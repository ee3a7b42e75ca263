import { formatSeconds } from '../../../src/report/format.ts';
import { copyWorkingCopy } from '../repository.ts';
import type { StepContext } from '../run/context.ts';
import type { Step } from '../yaml/model.ts';

type CheckoutStep = Extract<Step, { kind: 'checkout' }>;

/** `checkout: self` brings a copy of the working copy; `checkout: none` brings nothing. */
export async function runCheckout(step: StepContext, yaml: CheckoutStep): Promise<void> {
  const { run, folders } = step.job;
  if (yaml.repository === 'none') return;
  const started = performance.now();
  const files = await copyWorkingCopy(run.workingCopy, folders.sources);
  const seconds = formatSeconds((performance.now() - started) / 1000);
  step.log(
    `${files} files of ${run.workingCopy} in ${seconds}; ${/^0+$/.test(run.source.version) ? 'no commit yet' : `commit ${run.source.version}`}`,
  );
}
