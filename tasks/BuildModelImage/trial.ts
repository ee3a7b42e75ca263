import { readFile } from 'node:fs/promises';
import { DeliveryError } from '../../src/errors.ts';
import { goldenDigest } from '../../src/golden/body.ts';
import { parseGolden } from '../../src/golden/golden.ts';
import type { ImageTest } from '../../src/image/build.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createTrialEngine, type EngineLogin, type TrialEngine } from '../../src/image/trial/engine.ts';
import { checkTrial, junit, trialLines, trialTable } from '../../src/image/trial/results.ts';
import { runTrial, type TrialReport } from '../../src/image/trial/trial.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import { formatSeconds } from '../../src/report/format.ts';
import type { Run } from './running.ts';
import type { TestInput } from './testInput.ts';

/** Time for removing container and image, also after the run was cancelled. */
const cleanupMs = 30_000;

async function checkEngine(engine: TrialEngine): Promise<void> {
  await engine.ping().catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'TEST_ENGINE_MISSING',
      side: 'engine',
      message: "Input 'testFile' asks for a test of the image, and no Docker engine can start it here.",
      remedy:
        "Take an agent with Docker, or leave 'testFile' empty and give the file to DeployToAks as 'verifyFile': it asks a pod of the new image before anything is rolled out.",
      cause,
    });
  });
}

async function readTestFile(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'GOLDEN_FILE_INVALID',
      side: 'input',
      message: `The file of golden predictions '${file}' cannot be read.`,
      remedy: "Correct 'testFile'; it is relative to the pipeline's working directory.",
      cause,
    });
  });
}

/** An identity without a password gets the engine a token that may pull this repository and no more. */
async function engineLogin(access: RegistryAccess, repository: string): Promise<EngineLogin | undefined> {
  if (access.fetchToken === undefined) return access.credentials;
  const url = new URL('/oauth2/token', access.registryUrl);
  url.searchParams.set('service', url.host);
  url.searchParams.set('scope', `repository:${repository}:pull`);
  const answer = (await access.fetchToken(url, undefined)) as { readonly access_token?: string };
  return answer.access_token === undefined ? undefined : { registryToken: answer.access_token };
}

function tell({ host, inputs }: Run, report: TrialReport): void {
  const title = `Image test ${inputs.repository}`;
  const lines = trialLines(report);
  host.log.info(
    [`Test: the container answered after ${formatSeconds(report.readySeconds)}`, ...lines].join('\n'),
  );
  host.output('testResults', host.testResults(title, junit(title, report)));
  host.summary('Image test', trialTable(report));
  const failed = report.cases.some((one) => one.problems.length > 0);
  if (failed && report.logs.length > 0) {
    host.log.info(['Last lines of the container:', ...report.logs.slice(-20)].join('\n  '));
  }
}

/**
 * The test that the inputs ask for. That an engine is there is seen to before anything is built. Throws
 * TEST_ENGINE_MISSING and GOLDEN_FILE_INVALID.
 */
export async function imageTest(run: Run, input: TestInput): Promise<ImageTest> {
  const { host, inputs, client, access, signal } = run;
  const address = engineAddress(run.environment, process.platform);
  const engine = createTrialEngine(address, signal);
  const [text] = await Promise.all([readTestFile(input.file), checkEngine(engine)]);
  return {
    key: goldenDigest(input.file, text),
    run: async (digest, model) => {
      const golden = parseGolden(input.file, text, model?.version);
      const image = `${client.host}/${inputs.repository}@${digest}`;
      host.log.info(`Test: ${golden.cases.length} requests to a container of ${image}`);
      const report = await runTrial({
        ...{ engine, image, golden, signal, port: input.port, timeoutSeconds: input.timeoutSeconds },
        cleanup: () => createTrialEngine(address, AbortSignal.timeout(cleanupMs)),
        login: await engineLogin(access, inputs.repository),
      });
      tell(run, report);
      checkTrial(report);
    },
  };
}
