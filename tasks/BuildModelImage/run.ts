import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from '../../src/host/host.ts';
import { readBase } from '../../src/image/base.ts';
import { type BuiltImage, buildImage } from '../../src/image/build.ts';
import type { ImageBuilder } from '../../src/image/builder.ts';
import { deliverDependencies } from '../../src/image/deliverDependencies.ts';
import { createRegistryEngine } from '../../src/image/engines/registry.ts';
import { type DeliveredModel, deliverModel } from '../../src/image/model/deliver.ts';
import { folderModel, lockedModel, type Model } from '../../src/image/model/files.ts';
import { imageRecord, layerTable, summaryOf } from '../../src/image/report.ts';
import { runLabels } from '../../src/image/runLabels.ts';
import { readLock } from '../../src/model/lock.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { type RegistryAccess, registryAccess } from '../../src/oci/connection.ts';
import { parseReference, registryUrlOf } from '../../src/oci/reference.ts';
import { formatBytes, formatSeconds } from '../../src/report/format.ts';
import { type ApplicationInput, type BuildInputs, readBuildInputs } from './inputs.ts';

/** What the parts of one run share. */
interface Run {
  readonly host: Host;
  readonly inputs: BuildInputs;
  readonly access: RegistryAccess;
  readonly client: RegistryClient;
  readonly created: Date;
  /** Emptied when the run ends, however it ends. */
  readonly workFolder: string;
  readonly signal: AbortSignal;
}

const userAgent = 'model-delivery/BuildModelImage';

/** The start of the run, or the time that a reproducible build prescribes (reproducible-builds.org). */
function creationTime(host: Host): Date {
  const prescribed = Number(host.variable('SOURCE_DATE_EPOCH') ?? Number.NaN);
  return Number.isFinite(prescribed) ? new Date(prescribed * 1000) : new Date();
}

function clientFor(
  run: Pick<Run, 'host' | 'signal'>,
  access: RegistryAccess,
  pushTo?: string,
): RegistryClient {
  return createRegistryClient({
    ...access,
    signal: run.signal,
    userAgent,
    onRetry: (reason, delayMs) =>
      run.host.log.info(`Registry: ${reason}; next attempt in ${formatSeconds(delayMs / 1000)}`),
    ...(pushTo === undefined ? {} : { pushTo }),
  });
}

function registryEngine(run: Run, application: ApplicationInput & { engine: 'registry' }): ImageBuilder {
  const { host, client, inputs, signal, workFolder } = run;
  const base = parseReference(application.baseImage);
  const isHere = base.registry === client.host;
  const source = isHere ? client : clientFor(run, { registryUrl: registryUrlOf(base.registry) });
  const { requirements, appFolder, pythonVersion, workingDirectory } = application;
  return createRegistryEngine({
    readBase: () => readBase(source, base, inputs.platform, isHere),
    workingDirectory,
    platform: inputs.platform,
    created: run.created,
    signal,
    ...(appFolder === undefined ? {} : { appFolder }),
    ...(pythonVersion === undefined ? {} : { pythonVersion }),
    ...(requirements === undefined
      ? {}
      : {
          dependencies: (target) =>
            deliverDependencies({
              ...{ client, repository: inputs.repository, requirements, target, signal },
              temporaryFolder: workFolder,
              environment: process.env,
              onResolve: () => host.log.info(`Packages: pip resolves them for Python ${target.version}`),
            }),
        }),
  });
}

function builderFor(run: Run): ImageBuilder {
  const { application } = run.inputs;
  if (application.engine === 'registry') return registryEngine(run, application);
  throw new Error('not yet');
}

async function findModel(run: Run, model: NonNullable<BuildInputs['model']>): Promise<Model> {
  const { lock, folder } = model;
  if (lock !== undefined) return lockedModel(await readLock(lock), lock, folder);
  return folderModel(folder ?? '', run.signal);
}

async function deliver(run: Run, wanted: NonNullable<BuildInputs['model']>): Promise<DeliveredModel> {
  const { client, signal, inputs, host } = run;
  const model = await findModel(run, wanted);
  return deliverModel(
    {
      ...{ client, signal, repository: inputs.repository, platform: inputs.platform },
      destination: wanted.destination,
      onSend: ({ name, version, size }) =>
        host.log.info(`Model ${name} ${version}: not in the registry yet, ${formatBytes(size)} are sent`),
    },
    model,
  );
}

function announce(run: Run, image: BuiltImage): void {
  const { host, inputs, client } = run;
  const reference = `${client.host}/${inputs.repository}@${image.digest}`;
  for (const line of layerTable(image)) host.log.info(line);
  host.log.info(
    `${image.changed ? 'Pushed' : 'Unchanged, tagged again'}: ${reference} (${formatBytes(image.bytesUploaded)} uploaded, ${formatBytes(image.bytesReused)} reused)`,
  );
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

async function build(run: Run): Promise<BuiltImage> {
  const { host, inputs, client } = run;
  const { model } = inputs;
  host.log.info(`Engine: ${inputs.application.engine}, ${inputs.why}`);
  return buildImage({
    ...{ client, repository: inputs.repository, tags: inputs.tags, created: run.created },
    builder: builderFor(run),
    settings: inputs.settings,
    runLabels: inputs.addPipelineData ? runLabels((name) => host.variable(name)) : {},
    warn: (text) => host.log.warning(text),
    ...(model === undefined ? {} : { deliverModel: () => deliver(run, model) }),
  });
}

/** BuildModelImage: application and model as one image in the registry; nothing is tagged before all of it is there. */
export async function buildModelImage(host: Host): Promise<void> {
  const inputs = readBuildInputs(host);
  const access = registryAccess(host.connection(inputs.containerRegistry));
  const failed = new AbortController();
  const signal = AbortSignal.any([host.cancelled, failed.signal]);
  const workFolder = await mkdtemp(join(host.temporaryFolder, 'image-'));
  try {
    const client = clientFor({ host, signal }, access, inputs.repository);
    const run = { host, inputs, access, client, created: creationTime(host), workFolder, signal };
    announce(run, await build(run));
  } catch (error) {
    // What still runs beside the part that failed has nothing to work for any more.
    failed.abort(error);
    throw error;
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}
