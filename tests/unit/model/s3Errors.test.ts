import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { explain } from '../../../src/errors.ts';
import { openS3Store } from '../../../src/model/s3/store.ts';

const denial =
  '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';

/** What the log shows when a service refuses a listing with these headers. */
async function refusalWith(headers: Record<string, string>): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(403, { 'content-type': 'application/xml', ...headers }).end(denial);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const store = openS3Store({
    bucket: 'models',
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    addressing: 'auto',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
  });
  try {
    for await (const _ of store.list('', new AbortController().signal)) assert.fail('it listed');
    return assert.fail('it succeeded');
  } catch (error) {
    return explain(error);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

describe('a refusal of S3', () => {
  it('shows both request ids that the service answered', async () => {
    const text = await refusalWith({ 'x-amz-request-id': '4442587FB7D0A2F9', 'x-amz-id-2': 'vlR7PnpV2Ce8' });
    assert.match(text, /AccessDenied, request id 4442587FB7D0A2F9, extended request id vlR7PnpV2Ce8\)/);
  });

  it('speaks of no request id where the service answers none', async () => {
    const text = await refusalWith({});
    assert.match(text, /AccessDenied\)/);
    assert.doesNotMatch(text, /request id/);
  });
});
