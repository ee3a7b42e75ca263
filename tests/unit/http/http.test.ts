import assert from 'node:assert/strict';
import { redactUrl } from '../../../src/http/redact.ts';
import { isTemporaryNetworkError, parseRetryAfter, retry } from '../../../src/http/retry.ts';

const always = { attempts: 4, baseDelayMs: 1, advise: () => ({ temporary: true }) };

describe('another attempt', () => {
  it('is made until one succeeds', async () => {
    let count = 0;
    const result = await retry(
      async () => {
        count += 1;
        if (count < 3) throw new Error('not yet');
        return count;
      },
      { ...always, signal: new AbortController().signal },
    );
    assert.equal(result, 3);
  });

  it('is not made for an error that will stay', async () => {
    let count = 0;
    const failing = async (): Promise<never> => {
      count += 1;
      throw new Error('refused');
    };
    const options = { ...always, advise: () => ({ temporary: false }), signal: new AbortController().signal };
    await assert.rejects(retry(failing, options), /refused/);
    assert.equal(count, 1);
  });

  it('is not made once the task is cancelled', async () => {
    const controller = new AbortController();
    let count = 0;
    const failing = async (): Promise<never> => {
      count += 1;
      controller.abort(new Error('cancelled'));
      throw new Error('reset');
    };
    await assert.rejects(retry(failing, { ...always, signal: controller.signal }));
    assert.equal(count, 1);
  });

  it('waits as Retry-After asks, in seconds or until a date', () => {
    assert.equal(parseRetryAfter('3'), 3000);
    assert.equal(parseRetryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 1000), 4000);
    assert.equal(parseRetryAfter('soon'), undefined);
    assert.equal(parseRetryAfter('100000'), 120_000);
  });

  it('finds a broken connection below other errors', () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    assert.equal(isTemporaryNetworkError(new Error('fetch failed', { cause: reset })), true);
    assert.equal(isTemporaryNetworkError(new Error('fetch failed')), false);
  });
});

describe('a URL in a log', () => {
  it('shows neither user information nor signatures', () => {
    const shown = redactUrl('https://user:pass@store.example/models/a.bin?sv=2024&sig=secret%3D');
    assert.equal(
      shown,
      'https://store.example/models/a.bin?sv=%E2%80%A6&sig=%E2%80%A6'.replaceAll('%E2%80%A6', '…'),
    );
  });
});
