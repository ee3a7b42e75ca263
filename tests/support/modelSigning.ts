import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createContext } from '../../local/lib/context.ts';
import { ensurePythonTool } from '../../local/toolchain/python.ts';

const run = promisify(execFile);

/** The interpreter with OpenSSF's own signing tool, pinned. */
export async function modelSigningTool(): Promise<string> {
  return ensurePythonTool(await createContext(() => undefined), {
    name: 'model-signing',
    requirements: ['model-signing==1.1.1', 'pyOpenSSL==26.4.0'],
  });
}

/** Signs a folder as a data scientist does; the signature lies in it as `model.sig`. */
export async function signModel(
  tool: string,
  folder: string,
  by: readonly ['key' | 'certificate', ...string[]],
): Promise<void> {
  await run(tool, [
    '-m',
    'model_signing',
    'sign',
    by[0],
    folder,
    '--signature',
    `${folder}/model.sig`,
    ...by.slice(1),
  ]);
}
