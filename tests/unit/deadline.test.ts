import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { within } from '../../src/deadline.ts';

/** Ends when the signal does; nothing here holds the signal itself. */
function ended(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });
}

describe('A deadline', () => {
  it('ends though the collector of garbage has run', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const running = ended(within(50, new AbortController().signal));
    for (let turn = 0; turn < 20; turn += 1) {
      collect();
      await sleep(10);
    }
    const outcome = await Promise.race([running, sleep(2000, 'never')]);
    assert.ok(outcome instanceof DOMException);
    assert.equal(outcome.name, 'TimeoutError');
  });

  it('ends with the signal that it was made of, for its reason', async () => {
    const outer = new AbortController();
    const signal = within(60_000, outer.signal);
    const aborted = once(signal, 'abort');
    outer.abort('cancelled');
    await aborted;
    assert.equal(signal.reason, 'cancelled');
    assert.equal(within(60_000, outer.signal).reason, 'cancelled');
  });
});
