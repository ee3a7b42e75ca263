import type { S3Session, S3SessionKeys } from './location.ts';

/** A session is renewed so long before its end, in milliseconds; a short one in its last third. */
const renewalMs = 300_000;
/** Requests that take a while to arrive must not find it ended; of a short one, a tenth. */
const reserveMs = 30_000;

interface Kept {
  readonly keys: S3SessionKeys;
  readonly renewAt: number;
  readonly overAt: number;
}

function kept(keys: S3SessionKeys, now: number): Kept {
  const end = keys.expiration.getTime();
  const life = end - now;
  return {
    keys,
    renewAt: end - Math.min(renewalMs, life / 3),
    overAt: end - Math.min(reserveMs, life / 10),
  };
}

/**
 * One session for all who ask: begun at the first request, renewed once, however many ask. A renewal that is due
 * goes on beside the requests, so a token service that is out for minutes stops nobody whose session still lasts.
 * `clock` gives milliseconds since 1970.
 */
export function keepSession(begin: () => Promise<S3SessionKeys>, clock: () => number = Date.now): S3Session {
  let present: Kept | undefined;
  let running: Promise<S3SessionKeys> | undefined;

  const renew = async (): Promise<S3SessionKeys> => {
    const keys = await begin();
    present = kept(keys, clock());
    return keys;
  };

  return async () => {
    const now = clock();
    if (present !== undefined && now < present.renewAt) return present.keys;
    running ??= renew().finally(() => {
      running = undefined;
    });
    if (present === undefined || now >= present.overAt) return await running;
    // Who comes when it is over meets the failure anew.
    running.catch(() => undefined);
    return present.keys;
  };
}
