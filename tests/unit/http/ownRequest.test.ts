import assert from 'node:assert/strict';
import { getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { createNetwork } from '../../../src/http/network/network.ts';
import { NetworkDispatcher } from '../../../src/http/network/routed.ts';
import {
  correlation,
  ownHeaders,
  userAgent,
  withOwnHeaders,
  withSentId,
} from '../../../src/http/ownRequest.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('a request of our own', () => {
  it('names the task and is numbered anew each time, as its service logs it', () => {
    const names = { azure: 'x-ms-client-request-id', azureDevOps: 'x-tfs-session', kubernetes: 'audit-id' };
    for (const [service, name] of Object.entries(names)) {
      const [first, second] = [0, 0].map(() => ownHeaders(service as keyof typeof names)[name] ?? '');
      assert.match(first ?? '', uuid);
      assert.notEqual(first, second);
    }
    const network = createNetwork({
      proxyFor: () => undefined,
      trust: {},
      userAgent: 'model-delivery/9 (T)',
    });
    const usual = getGlobalDispatcher();
    try {
      setGlobalDispatcher(new NetworkDispatcher(network));
      assert.equal(userAgent(), 'model-delivery/9 (T)');
      assert.equal(ownHeaders('other')['user-agent'], 'model-delivery/9 (T)');
    } finally {
      setGlobalDispatcher(usual);
    }
  });

  it('keeps the number that another gave it', () => {
    const signed = { 'x-ms-client-request-id': 'one', authorization: 'SharedKey …' };
    assert.deepEqual(withOwnHeaders(signed), { 'user-agent': userAgent(), ...signed });
    assert.match(withOwnHeaders({ range: 'bytes=0-1' })['x-request-id'] ?? '', uuid);
  });

  it("is told in errors by its own number and the service's, each once", () => {
    const sent = { 'audit-id': 'a1', authorization: 'Bearer secret' };
    const answered = { 'audit-id': 'a1', 'x-ms-request-id': ['r2'], 'x-request-id': 'r3', server: 'x' };
    assert.equal(correlation(sent, answered), 'audit-id a1, x-ms-request-id r2, x-request-id r3');
    assert.equal(correlation({}, {}), '');
  });

  it('shows nothing of an answer that is no id', () => {
    for (const value of ['##vso[task.complete]', 'a b', 'x'.repeat(129), '\u001b[31m', '<script>']) {
      assert.equal(correlation({}, { 'x-ms-request-id': value }), '', value);
    }
  });

  it('keeps its number where it may have arrived and no answer came', () => {
    const lost = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
    const told = withSentId(lost, { 'x-request-id': 'r1' });
    assert.ok(told instanceof Error);
    assert.match(told.message, /other side closed \(x-request-id r1\)/);
    assert.equal(told.cause, lost);
    const unsent = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    assert.equal(withSentId(unsent, { 'x-request-id': 'r1' }), unsent);
  });
});
