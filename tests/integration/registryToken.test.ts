import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort } from '../../local/lib/ports.ts';
import { registryBinary } from '../../local/toolchain/registry.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { testContext } from '../support/services.ts';

const service = 'tests';
const issuer = 'token-service';
/** The registry accepts a token this long after its end, so these live for about a second more. */
const leewaySeconds = 59;

interface TokenService {
  readonly server: Server;
  readonly realm: string;
  readonly keys: string;
  /** Scopes of every token that was given. */
  readonly given: string[][];
}

function jwt(key: KeyObject, scopes: readonly string[]): string {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [type, name, actions = ''] = scope.split(':');
    return { type, name, actions: actions.split(',') };
  });
  const claims = {
    iss: issuer,
    sub: 'me',
    aud: service,
    iat: now - 600,
    nbf: now - 600,
    exp: now - leewaySeconds,
  };
  const parts = [
    { alg: 'RS256', typ: 'JWT', kid: 'k1' },
    { ...claims, jti: randomBytes(8).toString('hex'), access },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

/** Signs tokens that a real registry verifies; refuses a wrong password. */
async function startTokenService(): Promise<TokenService> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const given: string[][] = [];
  const server = createServer((request, response) => {
    const pair = Buffer.from(
      String(request.headers.authorization).replace('Basic ', ''),
      'base64',
    ).toString();
    if (pair !== 'me:secret')
      return void response.writeHead(401).end('{"details":"incorrect username or password"}');
    const scopes = new URL(request.url ?? '', 'http://localhost').searchParams.getAll('scope');
    given.push(scopes);
    response.end(JSON.stringify({ token: jwt(privateKey, scopes), expires_in: 300 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return { server, realm, keys: JSON.stringify({ keys: [jwk] }), given };
}

describe('registry client on a registry with a token service', function () {
  this.timeout(120_000);
  let folder: string;
  let tokens: TokenService;
  let registry: ChildProcess;
  let url: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    tokens = await startTokenService();
    await writeFile(join(folder, 'keys.json'), tokens.keys);
    const port = await freePort('127.0.0.1');
    url = `http://127.0.0.1:${port}`;
    const configuration = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(folder, 'data') } },
      http: { addr: `127.0.0.1:${port}` },
      auth: {
        token: {
          realm: tokens.realm,
          service,
          issuer,
          jwks: join(folder, 'keys.json'),
          signingalgorithms: ['RS256'],
        },
      },
    };
    await writeFile(join(folder, 'config.yml'), stringify(configuration));
    const env = { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' };
    const binary = await registryBinary(await testContext());
    registry = spawn(binary, ['serve', join(folder, 'config.yml')], { env, stdio: 'ignore' });
    while ((await fetch(`${url}/v2/`).catch(() => undefined))?.status !== 401) {
      assert.equal(registry.exitCode, null, 'the registry ended');
      await sleep(100);
    }
  });

  after(async () => {
    registry.kill();
    await once(registry, 'exit');
    tokens.server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const clientOf = (password: string, pushTo?: string): RegistryClient =>
    createRegistryClient({
      registryUrl: url,
      credentials: { username: 'me', password },
      signal: new AbortController().signal,
      userAgent: 'model-delivery-tests',
      ...(pushTo === undefined ? {} : { pushTo }),
    });

  /** A blob whose second half is ready only when the token it began with has ended. */
  const slowBlob = (content: Buffer) => ({
    digest: digestOf(content),
    size: content.byteLength,
    async *open(offset: number) {
      yield content.subarray(offset, content.byteLength / 2);
      await sleep(2500);
      yield content.subarray(Math.max(offset, content.byteLength / 2));
    },
  });

  it('asks for the rights of each repository and renews a token that ends in the middle of a push', async () => {
    const client = clientOf('secret', 'tokens/app');
    const blob = slowBlob(randomBytes(200_000));
    assert.equal(await client.pushBlob('tokens/app', blob), 'uploaded');
    assert.equal(await client.hasBlob('tokens/app', blob.digest), true);
    const scopes = tokens.given.map((scope) => scope.join(' '));
    assert.ok(scopes.length >= 2);
    assert.ok(scopes.every((scope) => scope === 'repository:tokens/app:pull,push'));
  });

  it('mounts with the right to read the other repository', async () => {
    const blob = slowBlob(randomBytes(2000));
    await clientOf('secret', 'tokens/source').pushBlob('tokens/source', blob);
    const how = await clientOf('secret', 'tokens/target').pushBlob('tokens/target', blob, 'tokens/source');
    assert.equal(how, 'mounted');
    assert.deepEqual(tokens.given.at(-1), [
      'repository:tokens/target:pull,push',
      'repository:tokens/source:pull',
    ]);
  });

  it('says that the password is wrong', async () => {
    await assert.rejects(clientOf('wrong').listTags('tokens/app'), {
      code: 'REGISTRY_UNAUTHORIZED',
      message: /'me'/,
    });
  });
});
