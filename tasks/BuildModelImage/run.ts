import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chosenRegistry } from '../../src/azure/registry.ts';
import type { Host } from '../../src/host/host.ts';
import { type BuildRequest, type BuiltImage, buildImage } from '../../src/image/build.ts';
import { imageRecord, layerTable, summaryOf } from '../../src/image/report.ts';
import { runLabels } from '../../src/image/runLabels.ts';
import { formatPlatform } from '../../src/oci/types.ts';
import { formatBytes } from '../../src/report/format.ts';
import { buildersFor, clientFor } from './builder.ts';
import { settleEngine } from './engine.ts';
import { readBuildInputs } from './inputs.ts';
import { deliver } from './model.ts';
import type { Run } from './running.ts';
import { openSigner } from './signing.ts';
import type { TestInput } from './testInput.ts';

/** The start of the run, or the time that a reproducible build prescribes (reproducible-builds.org). */
function creationTime(host: Host): Date {
  const prescribed = Number(host.variable('SOURCE_DATE_EPOCH') ?? Number.NaN);
  return Number.isFinite(prescribed) ? new Date(prescribed * 1000) : new Date();
}

function announce(run: Run, image: BuiltImage): void {
  const { host, inputs, client } = run;
  const reference = `${client.host}/${inputs.repository}@${image.digest}`;
  for (const line of layerTable(image)) host.log.info(line);
  host.log.info(
    `${image.changed ? 'Pushed' : 'Unchanged, tagged again'}: ${reference} (${formatBytes(image.bytesUploaded)} uploaded, ${formatBytes(image.bytesReused)} reused)`,
  );
  for (const { artifactType, digest } of image.documents) {
    host.log.info(`Attached: ${artifactType} (${client.host}/${inputs.repository}@${digest})`);
  }
  host.output('image', reference);
  host.output('imageDigest', image.digest);
  host.output('imageTags', inputs.tags.join('\n'));
  host.output('bytesUploaded', String(image.bytesUploaded));
  host.output('bytesReused', String(image.bytesReused));
  host.output('modelLayerReused', String(image.model?.reused ?? false));
  const named = { reference, tags: inputs.tags, image };
  host.summary('Model image', summaryOf(named));
  host.attachment('model-delivery.image', `image-${image.digest.slice(7, 19)}`, imageRecord(named));
}

async function wantedDocuments({ host, inputs }: Run): Promise<Pick<BuildRequest, 'documents'>> {
  const { sbom, application, platforms, repository, tags, model, signing } = inputs;
  if (!sbom && !inputs.provenance && signing === undefined) return {};
  const signed = signing === undefined ? {} : { signer: await openSigner(host, signing) };
  const definition = {
    inputs: {
      ...{
        engine: application.engine,
        platform: platforms.map(formatPlatform).join(','),
        repository,
        tags: tags.join('\n'),
      },
      ...(application.engine === 'registry' ? { baseImage: application.baseImage } : {}),
      ...(model === undefined ? {} : { modelDestination: model.destination }),
    },
    variable: (name: string) => host.variable(name),
  };
  return { documents: { sbom, ...(inputs.provenance ? { provenance: definition } : {}), ...signed } };
}

/** Loaded late: few runs of it need what golden requests need. */
async function testOf(run: Run, test: TestInput): Promise<Pick<BuildRequest, 'test'>> {
  const { imageTest } = await import('./trial.ts');
  return { test: await imageTest(run, test) };
}

async function build(run: Run): Promise<BuiltImage> {
  const { host, inputs, client } = run;
  const { model, test } = inputs;
  host.log.info(`Engine: ${inputs.application.engine}, ${inputs.why}`);
  const tested = test === undefined ? {} : await testOf(run, test);
  return buildImage({
    ...tested,
    ...(await wantedDocuments(run)),
    ...{ client, repository: inputs.repository, tags: inputs.tags, created: run.created },
    builders: buildersFor(run),
    settings: inputs.settings,
    runLabels: inputs.addPipelineData ? runLabels((name) => host.variable(name)) : {},
    warn: (text) => host.log.warning(text),
    ...(model === undefined ? {} : { deliverModel: () => deliver(run, model) }),
  });
}

/** BuildModelImage: application and model as one image in the registry; nothing is tagged before all of it is there. */
export async function buildModelImage(host: Host): Promise<void> {
  const read = readBuildInputs(host);
  const access = chosenRegistry(read.registry, host);
  const failed = new AbortController();
  const signal = AbortSignal.any([host.cancelled, failed.signal]);
  const workFolder = await mkdtemp(join(host.temporaryFolder, 'image-'));
  try {
    const inputs = await settleEngine(read, { environment: host.environment, signal });
    const client = clientFor({ host, signal }, access, inputs.repository);
    const run = {
      host,
      inputs,
      access,
      client,
      created: creationTime(host),
      workFolder,
      signal,
      environment: host.environment,
    };
    announce(run, await build(run));
  } catch (error) {
    // What still runs beside the part that failed has nothing to work for any more.
    failed.abort(error);
    throw error;
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}
