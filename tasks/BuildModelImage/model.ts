import { type DeliveredModel, deliverModel } from '../../src/image/model/deliver.ts';
import { folderModel, lockedModel } from '../../src/image/model/files.ts';
import type { Model } from '../../src/image/model/model.ts';
import { readLock } from '../../src/model/lock.ts';
import { openStore } from '../../src/model/open.ts';
import { formatBytes } from '../../src/report/format.ts';
import { type ByteProgress, byteProgress } from '../../src/report/progress.ts';
import { gzipFolderOf } from './builder.ts';
import type { ModelInput } from './modelInput.ts';
import type { Run } from './running.ts';

async function findModel(run: Run, wanted: ModelInput): Promise<Model> {
  const { lock: lockFile, folder, sourceOf } = wanted;
  if (lockFile === undefined) return folderModel(folder ?? '', run.signal);
  const lock = await readLock(lockFile);
  const source =
    sourceOf === undefined ? {} : { openStore: async () => openStore(sourceOf(lock), run.signal) };
  return lockedModel(lock, {
    lockFile,
    signal: run.signal,
    ...(folder === undefined ? {} : { folder }),
    ...source,
  });
}

/** Sees to it that the model is in the registry; the person who waits is told when its bytes must move. */
export async function deliver(run: Run, wanted: ModelInput): Promise<DeliveredModel> {
  const { client, signal, inputs, host } = run;
  const model = await findModel(run, wanted);
  const what = `Model ${model.name} ${model.version}`;
  let progress: ByteProgress | undefined;
  const delivered = await deliverModel(
    {
      ...{ client, signal, repository: inputs.repository, platform: inputs.platforms[0] },
      destination: wanted.destination,
      ...gzipFolderOf(run),
      onSend: (totalBytes) => {
        host.log.info(`${what}: not in the registry yet, ${formatBytes(totalBytes)} are sent`);
        progress = byteProgress({ what, totalBytes, log: host.log });
      },
      onBytes: (bytes) => progress?.add(bytes),
    },
    model,
  );
  if (delivered.reused) host.log.info(`${what}: its layers are in the registry, nothing is read or sent`);
  else progress?.done();
  return delivered;
}
