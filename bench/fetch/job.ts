import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contestant } from '../contest.ts';
import { checkFiles } from '../files.ts';
import { type Command, measure } from '../measure.ts';
import type { Room } from '../room.ts';
import type { ModelCase } from './cases.ts';
import type { ModelServer } from './server.ts';

/** One fetch: the model from the server into `target`, which is new. */
export interface Job {
  readonly server: ModelServer;
  readonly model: ModelCase;
  readonly target: string;
  /** Writes a file beside the target and gives its path: addresses hold signatures, command lines are public. */
  readonly note: (name: string, content: string) => Promise<string>;
}

/** Somebody who can fetch: the command that does a job. */
export interface Fetcher {
  readonly name: string;
  readonly command: (job: Job) => Promise<Command>;
  /** Whether it can fetch, and has anything to show, there; everywhere when absent. */
  readonly suits?: (server: ModelServer, model: ModelCase) => boolean;
  /** Fails when the output tells of a failure that the exit code does not. */
  readonly check?: (output: string) => void;
}

/** The fetcher at one server and one model; each run has a folder of its own, checked and removed afterwards. */
export function contestant(room: Room, server: ModelServer, model: ModelCase, fetcher: Fetcher): Contestant {
  return {
    name: fetcher.name,
    async run() {
      const folder = await mkdtemp(join(room.folder, 'fetch-'));
      const target = join(folder, 'model');
      const note = async (name: string, content: string): Promise<string> => {
        const file = join(folder, name);
        await writeFile(file, content, { mode: 0o600 });
        return file;
      };
      try {
        const { sample, output } = await measure(await fetcher.command({ server, model, target, note }));
        fetcher.check?.(output);
        await checkFiles(target, model.files, model.bytesEach);
        return sample;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
