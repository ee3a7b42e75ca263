import type { Log } from '../host/host.ts';
import { formatSeconds } from '../report/format.ts';

/** Waits below it, in milliseconds, are not worth a line. */
const worthTellingMs = 1000;

/** Tells the log why nothing happens for a while. */
export type TellWait = (status: number, url: string | URL, waitMs: number) => void;

/** One line for each wait that a service of Azure causes: who, why, how long. */
export function tellWaits({ info }: Pick<Log, 'info'>): TellWait {
  return (status, url, waitMs) => {
    if (waitMs < worthTellingMs) return;
    const why = status === 429 ? 'takes no more requests for now' : 'fails for the moment';
    info(`${new URL(url).host} ${why} (HTTP ${status}): next attempt in ${formatSeconds(waitMs / 1000)}`);
  };
}
