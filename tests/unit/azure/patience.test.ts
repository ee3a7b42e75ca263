import assert from 'node:assert/strict';
import { createHttpHeaders, createPipelineRequest, type PipelineResponse } from '@azure/core-rest-pipeline';
import { patience } from '../../../src/azure/patience.ts';

const nothing = (): void => undefined;

async function waitAskedBy(status: number, retryAfter: string): Promise<string | undefined> {
  const request = createPipelineRequest({ url: 'https://login.example' });
  const answer: PipelineResponse = {
    request,
    status,
    headers: createHttpHeaders({ 'retry-after': retryAfter }),
  };
  const policy = patience({
    cancelled: AbortSignal.timeout(1000),
    retries: 3,
    onAnswer: nothing,
    tell: nothing,
  });
  return (await policy.sendRequest(request, async () => answer)).headers.get('retry-after');
}

describe('patience with a throttled sign-in service', () => {
  it('is two minutes at most', async () => {
    assert.equal(await waitAskedBy(429, '86400'), '120');
    assert.equal(await waitAskedBy(503, new Date(Date.now() + 86_400_000).toUTCString()), '120');
  });

  it('is what the service asks for, if that is less', async () => {
    assert.equal(await waitAskedBy(429, '7'), '7');
  });
});
