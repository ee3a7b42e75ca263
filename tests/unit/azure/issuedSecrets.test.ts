import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openRegistry } from '../../../src/azure/registry.ts';
import { ociLocation } from '../../../src/model/oci/location.ts';
import { openOciStore } from '../../../src/model/oci/store.ts';
import { readS3Connection } from '../../../src/model/s3/connection.ts';
import { s3SignIn } from '../../../src/model/s3/signIn.ts';
import { createRegistryClient } from '../../../src/oci/client.ts';
import { recordingHost } from '../../support/host.ts';

/** A registry without images that lets in by tokens of its own service alone; runs the work with its address. */
async function withRegistry(work: (url: string, issued: readonly string[]) => Promise<void>): Promise<void> {
  const issued: string[] = [];
  const server = createServer(({ url = '', headers }, response) => {
    const { port } = server.address() as AddressInfo;
    if (url.startsWith('/token')) {
      issued.push(`issued-token-${issued.length}`);
      return void response.end(JSON.stringify({ token: issued.at(-1) }));
    }
    if (!issued.includes(headers.authorization?.replace('Bearer ', '') ?? '')) {
      const challenge = `Bearer realm="http://127.0.0.1:${port}/token",service="tests"`;
      return void response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
    response.end(JSON.stringify({ name: 'team/m', tags: [] }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, issued);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

describe('what services give for a connection is masked', () => {
  it('the tokens of a registry that is not Azure, wherever its connection is used', () =>
    withRegistry(async (url, issued) => {
      const { host, said } = recordingHost({ workingFolder: '.' });
      const parameters = { username: 'me', password: 'secret', registry: url };
      const connection = { id: 'hub', url, scheme: 'UsernamePassword', parameters, data: {} };
      const access = openRegistry(connection, host);
      const { signal } = new AbortController();
      await createRegistryClient({ ...access, signal }).listTags('team/m');
      const store = openOciStore(ociLocation('team/m', 'm', access), { signal });
      for await (const _ of store.list('', signal)) assert.fail('it has no images');
      assert.equal(issued.length, 2);
      for (const token of issued) assert.ok(said.secrets.includes(token), token);
    }));

  it("the external id of an S3 role, which the connection's page keeps as a secret", () => {
    const { host, said } = recordingHost({ workingFolder: '.' });
    const parameters = { username: 'KEY', password: 'the-secret', externalid: 'an-external-id' };
    const data = { rolearn: 'arn:aws:iam::111122223333:role/reader' };
    const url = 'https://s3.amazonaws.com/';
    const made = readS3Connection({ id: 's3', url, scheme: 'UsernamePassword', parameters, data });
    s3SignIn(made, host, 'eu-central-1');
    assert.deepEqual(said.secrets, ['the-secret', 'an-external-id']);
  });
});
