import { DeliveryError } from '../../errors.ts';
import type { CommandResult } from './run.ts';

/** One answer of kubectl: what it printed, or with another status than 0 what it complained of. */
export interface Frame {
  readonly status: number;
  readonly text: string;
}

/** A script's account of itself, told apart from all that others print by a mark of this run alone. */
export interface Transcript {
  readonly frames: ReadonlyMap<string, Frame>;
  /** Its own lines, without the mark. */
  readonly said: readonly string[];
}

/** Last line of a script that came to its end. */
const lastLine = 'done';

/** Throws RUN_COMMAND_LOG_CUT where the account is not whole: the service keeps 512 kB of a command's output. */
export function readTranscript(result: CommandResult, mark: string): Transcript {
  const frames = new Map<string, Frame>();
  const said: string[] = [];
  let open: { name: string; status: number; lines: string[] } | undefined;
  for (const line of result.log.split(/\r?\n/)) {
    const own = line.startsWith(`${mark} `) ? line.slice(mark.length + 1) : undefined;
    const [word, name = '', status] = own?.split(' ') ?? [];
    if (word === 'begin') {
      open = { name, status: Number(status), lines: [] };
    } else if (word === 'end' && open !== undefined) {
      frames.set(open.name, { status: open.status, text: open.lines.join('\n').trim() });
      open = undefined;
    } else if (own !== undefined) {
      said.push(own);
    } else {
      open?.lines.push(line);
    }
  }
  if (said.at(-1) === lastLine) return { frames, said };
  throw new DeliveryError({
    code: 'RUN_COMMAND_LOG_CUT',
    side: 'cluster',
    message: `The command in the cluster ended with exit code ${result.exitCode}, and its account is not whole.`,
    remedy:
      'AKS keeps 512 kB of what a command prints: deploy fewer or smaller objects at once. A run again finds what was applied.',
    cause: new Error(result.log.trim().slice(-500) || 'it printed nothing'),
  });
}

/** The JSON of a frame that went well; undefined for one that is missing, empty or a refusal. */
export function jsonOf(frame: Frame | undefined): unknown {
  if (frame === undefined || frame.status !== 0 || frame.text === '') return undefined;
  try {
    return JSON.parse(frame.text) as unknown;
  } catch {
    return undefined;
  }
}
