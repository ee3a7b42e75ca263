import { DeliveryError } from '../errors.ts';

const refusals: ReadonlySet<string> = new Set([
  'EACCES',
  'ENOENT',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'EEXIST',
  'EISDIR',
  'ENOTEMPTY',
]);

function fileSystemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** A file system's refusal to write below `folder`, explained; any other error passes unchanged. */
export function explainedWriteError(error: unknown, folder: string): unknown {
  const code = fileSystemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new DeliveryError({
      code: 'DISK_FULL',
      side: 'agent',
      message: `The disk of '${folder}' is full.`,
      remedy: "Free space on the agent's disk, or set 'targetFolder' to a folder on a larger one.",
      cause: error,
    });
  }
  if (!refusals.has(code)) return error;
  return new DeliveryError({
    code: 'TARGET_UNWRITABLE',
    side: 'agent',
    message: `The folder '${folder}' cannot be written by this agent.`,
    remedy:
      "Set 'targetFolder' to a folder that the agent's account may write, and remove a file or folder that is in the way.",
    cause: error,
  });
}

/** Runs a writing step below `folder` with its file system errors explained. */
export async function writingTo<T>(folder: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw explainedWriteError(error, folder);
  }
}
