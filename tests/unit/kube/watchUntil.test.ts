import assert from 'node:assert/strict';
import type { KubeClient, WatchEvent } from '../../../src/kube/api/client.ts';
import { watchUntil } from '../../../src/kube/api/watchUntil.ts';

/** An API server with nothing to tell. */
const silent: Pick<KubeClient, 'list' | 'watch'> = {
  list: async () => ({ items: [], resourceVersion: '1' }),
  async *watch(_of, _version, signal): AsyncGenerator<WatchEvent> {
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    yield* [];
  },
};

describe('A watch', () => {
  it('ends at its deadline though nothing changes, even when the timer fires a moment early', async () => {
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop' };
    // Node's timers are off by up to a millisecond in either direction: some of these fire early.
    const waits = Array.from({ length: 60 }, (_, index) =>
      watchUntil(
        silent as KubeClient,
        [pods],
        { timeoutMs: 20 + index, signal: new AbortController().signal },
        () => undefined,
      ),
    );
    for (const { answer } of await Promise.all(waits)) assert.equal(answer, undefined);
  });
});
