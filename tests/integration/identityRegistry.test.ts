import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { bundleTask } from '../../build/bundle.ts';
import { type LocalAcr, startAcr } from '../../local/azure/acr.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { LocalContext } from '../../local/lib/context.ts';
import { createAcrTokens, refreshTokenUser } from '../../src/azure/acr.ts';
import { azureConnection } from '../../src/azure/connection.ts';
import { createCredential } from '../../src/azure/credential.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import { createDockerEngine } from '../../src/image/engines/docker.ts';
import type { Logins } from '../../src/image/tool/logins.ts';
import { createAuthorizer } from '../../src/oci/auth.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { mediaTypes } from '../../src/oci/types.ts';
import { agentEnvironment, runBundle } from '../support/bundle.ts';
import { withFolder } from '../support/folder.ts';
import {
  assertIdsShown,
  azureServiceConnection,
  failureText,
  jobHost,
  networkOf,
} from '../support/identity.ts';
import { withOwnServices } from '../support/ownServices.ts';
import { services } from '../support/services.ts';
import { pushWebImagesBy } from '../support/webImage.ts';

interface Opened {
  /** The product's client, which may push to `team/app`. */
  readonly client: RegistryClient;
  readonly local: LocalIdentity;
  readonly acr: LocalAcr;
  readonly warnings: readonly string[];
  readonly secrets: readonly string[];
  /** Asks the registry as the product's client does; the status it ends with. */
  ask(method: 'GET' | 'POST', path: string, scope: string): Promise<number>;
  /** What engines sign in with by themselves. */
  password(): Promise<string>;
}

async function open(context: LocalContext, use: (opened: Opened) => Promise<void>): Promise<void> {
  const local = await startIdentity();
  const acr = await startAcr(context, local).catch(async (error: unknown) => {
    await local.close();
    throw error;
  });
  const dispatcher = new Agent({ connect: { ca: local.authority.certificate } });
  try {
    const { host, said } = jobHost(local);
    const connection = azureConnection(azureServiceConnection(local, 'workloadIdentity'));
    const network = networkOf(local);
    const identity = createCredential(connection, host, network);
    const tokens = createAcrTokens({ registryUrl: acr.url, connection, identity, host, network });
    const authorizer = createAuthorizer(new URL(acr.url), undefined, tokens.fetchToken);
    const ask: Opened['ask'] = async (method, path, scope) => {
      const send = async (authorization: string | undefined) => {
        const headers = authorization === undefined ? {} : { authorization };
        const response = await request(new URL(path, acr.url), { method, headers, dispatcher });
        await response.body.dump();
        return response;
      };
      const known = authorizer.known(scope);
      const first = await send(known);
      if (first.statusCode !== 401) return first.statusCode;
      const header = await authorizer.answer(first.headers['www-authenticate'], scope, known);
      return header === undefined ? 401 : (await send(header)).statusCode;
    };
    const client = createRegistryClient({
      ...{ registryUrl: acr.url, fetchToken: tokens.fetchToken, pushTo: 'team/app', dispatcher },
      ...{ signal: host.cancelled, userAgent: 'test' },
    });
    const { warnings, secrets } = said;
    await use({ client, local, acr, warnings, secrets, ask, password: tokens.refreshToken });
  } finally {
    await dispatcher.close();
    await acr.close();
    await local.close();
  }
}

const platform = { os: 'linux', architecture: 'amd64' };
const push = 'repository:team/app:pull,push';
const pull = 'repository:team/app:pull';
const uploads = '/v2/team/app/blobs/uploads/';

describe('signing in to an Azure container registry', function () {
  this.timeout(120_000);
  const withAcr = (use: (opened: Opened) => Promise<void>) =>
    withOwnServices((context) => open(context, use));

  it('gives tokens that the registry verifies, for the scope that is asked for and no more', () =>
    withAcr(async ({ ask, acr, client, local, secrets, warnings }) => {
      assert.equal(await ask('POST', uploads, push), 202);
      assert.equal(await ask('GET', '/v2/team/app/tags/list', pull), 404, 'nothing was pushed');
      assert.deepEqual(
        acr.requests.filter((line) => line.includes('/oauth2/')),
        ['POST /oauth2/exchange', 'POST /oauth2/token', 'POST /oauth2/token'],
      );
      assert.deepEqual(warnings, []);
      for (const token of [...local.entra.issued(), ...acr.issued()])
        assert.ok(secrets.includes(token), token);
      assert.equal(acr.issued().length, 3, 'one refresh token, and one for each scope');
      assert.equal(await ask('POST', '/v2/other/app/blobs/uploads/', push), 401, 'another repository');
      const { code, text } = await failureText(client.listTags('team/app'));
      assert.equal(code, 'REPOSITORY_NOT_FOUND');
      assert.match(text, /may not list the repositories.*'Container Registry Repository Catalog Lister'/);
    }));

  it('renews from the start of the chain when all its tokens have ended', () =>
    withAcr(async ({ ask, acr, local }) => {
      local.entra.lifeSeconds = 2;
      acr.settings.lifeSeconds = 2;
      assert.equal(await ask('POST', uploads, push), 202);
      await sleep(2200);
      assert.equal(await ask('POST', uploads, push), 202);
      assert.equal(local.devops.requests.length, 2);
    }));

  it('pushes a layer that takes longer than every token lives, and reads it back', () =>
    withAcr(async ({ client, acr, local }) => {
      local.entra.lifeSeconds = 2;
      acr.settings.lifeSeconds = 2;
      const part = Buffer.alloc(64 * 1024, 7);
      const parts = 8;
      const hash = createHash('sha256');
      for (let count = 0; count < parts; count += 1) hash.update(part);
      const digest = `sha256:${hash.digest('hex')}`;
      const open = async function* (offset: number) {
        for (let sent = offset; sent < part.length * parts; sent += part.length) {
          await sleep(400);
          yield part;
        }
      };
      assert.equal(
        await client.pushBlob('team/app', { digest, size: part.length * parts, open }),
        'uploaded',
      );
      let size = 0;
      for await (const piece of client.readBlob('team/app', digest)) size += piece.byteLength;
      assert.equal(size, part.length * parts);
      assert.ok(local.devops.requests.length >= 2, 'the chain was gone through again');
    }));

  it('names the role that is missing, to pull and to push', () =>
    withAcr(async ({ ask, acr, local }) => {
      const { objectId } = local.application;
      acr.settings.grants = [{ objectId, repository: 'team/app', actions: ['pull'] }];
      const pushing = await failureText(ask('POST', uploads, push));
      assert.equal(pushing.code, 'REGISTRY_ROLE_MISSING');
      assert.match(pushing.text, /AcrPush.*Container Registry Repository Writer/);
      const mounting = await failureText(ask('POST', uploads, `${pull} repository:secret/base:pull`));
      assert.match(mounting.text, /pull from repository 'secret\/base'/);
      acr.settings.grants = [];
      const pulling = await failureText(ask('GET', '/v2/team/app/tags/list', pull));
      assert.equal(pulling.code, 'REGISTRY_ROLE_MISSING');
      assert.match(pulling.text, /AcrPull.*Container Registry Repository Reader/);
    }));

  it('names the role that is taken away in the middle of a push, and asks no more', () =>
    withAcr(async ({ client, acr, local }) => {
      local.entra.lifeSeconds = 2;
      acr.settings.lifeSeconds = 2;
      const content = Buffer.alloc(64 * 1024, 3);
      const open = async function* (offset: number) {
        yield content.subarray(offset, 1024);
        acr.settings.grants = [];
        await sleep(2200);
        yield content.subarray(1024);
      };
      const blob = { digest: digestOf(content), size: content.length, open };
      const { code, text } = await failureText(client.pushBlob('team/app', blob));
      assert.equal(code, 'REGISTRY_ROLE_MISSING', text);
      assert.match(text, /'AcrPush'/);
      assert.equal(acr.requests.filter((line) => line === 'POST /oauth2/token').length, 2);
    }));

  it("builds in a registry with permissions by repository, by the registry's own audience and a role for them", () =>
    withAcr(({ client, acr, local, warnings }) =>
      withFolder(async (folder) => {
        const [{ objectId }, actions] = [local.application, ['pull', 'push'] as const];
        await pushWebImagesBy(client, 'team/app', [
          { tag: 'base', modelVersion: '', created: '2026-01-01T00:00:00Z' },
        ]);
        acr.settings.abac = true;
        const work = join(folder, 'agent');
        await mkdir(join(work, 'app'), { recursive: true });
        await writeFile(join(work, 'app', 'app.py'), 'print("scoring")\n');
        const { host } = new URL(acr.url);
        const connection = azureServiceConnection(local, 'workloadIdentity', { url: acr.url });
        const inputs = {
          ...{ engine: 'registry', azureSubscription: connection.id, registry: host, repository: 'team/app' },
          ...{ tags: '1', appFolder: 'app', baseImage: `${host}/team/app:base`, command: 'python3 app.py' },
        };
        const environment = agentEnvironment(local, [connection], inputs);
        const build = () => runBundle('BuildModelImage', environment, work, local.authority.certificate);
        await bundleTask('BuildModelImage');
        acr.settings.grants = [{ objectId, repository: '*', actions }];
        const refused = (await build()).output;
        assert.match(refused, /REGISTRY_ROLE_MISSING/, 'AcrPush is not honoured there');
        assert.match(refused, /Container Registry Repository (Reader|Writer)/);
        acr.settings.grants = [{ objectId, repository: 'team/app', actions, byRepositoryRole: true }];
        acr.settings.acceptsResourceManager = true;
        const { output } = await build();
        assert.match(output, /##vso\[task\.complete result=Succeeded;\]/, output);
        assert.doesNotMatch(output, /by a token for the resource manager/);
        assert.deepEqual(warnings, []);
      }),
    ));

  it("takes the resource manager's audience only where the registry's own fails, and says so", () =>
    withAcr(async ({ ask, acr, local, warnings }) => {
      acr.settings.acceptsOwnAudience = false;
      assert.equal(await ask('POST', uploads, push), 202);
      assert.equal(warnings.length, 1);
      acr.settings.acceptsOwnAudience = true;
      const [tenant] = local.directory.tenants;
      assert.ok(tenant);
      local.directory.tenants[0] = { ...tenant, resources: [audiences.resourceManager] };
      assert.equal(await ask('GET', '/v2/team/app/tags/list', pull), 404);
      assert.equal(warnings.length, 1, 'said once');
    }));

  it('explains a registry that refuses the sign-in, and one whose firewall does', () =>
    withAcr(async ({ ask, acr }) => {
      acr.settings.acceptsOwnAudience = false;
      acr.settings.acceptsResourceManager = false;
      const refused = await failureText(ask('POST', uploads, push));
      assert.equal(refused.code, 'REGISTRY_SIGN_IN_REFUSED');
      assertIdsShown(refused.text, acr.exchanges.at(-1));
      acr.settings.admitsNetwork = false;
      assert.equal((await failureText(ask('POST', uploads, push))).code, 'REGISTRY_FIREWALL');
    }));

  it('lets a Docker engine pull a private FROM by a password of the identity, and without it not', () =>
    withAcr(({ client, acr, local, password }) =>
      withFolder(async (folder) => {
        const { host } = new URL(acr.url);
        const layer = Buffer.alloc(1024);
        const config = Buffer.from(
          JSON.stringify({
            ...platform,
            config: { Labels: { from: 'private' } },
            rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
          }),
        );
        for (const content of [layer, config]) {
          const open = async function* (offset: number) {
            yield content.subarray(offset);
          };
          await client.pushBlob('team/app', { digest: digestOf(content), size: content.length, open });
        }
        const manifest = {
          schemaVersion: 2,
          mediaType: mediaTypes.manifest,
          config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
          layers: [{ mediaType: mediaTypes.layer, digest: digestOf(layer), size: layer.length }],
        };
        const stored = { mediaType: mediaTypes.manifest, content: JSON.stringify(manifest) };
        await client.putManifest('team/app', 'base', stored);
        await writeFile(join(folder, 'Dockerfile'), `FROM ${host}/team/app:base\nCOPY Dockerfile /\n`);
        const { docker } = await services('docker');
        const signal = AbortSignal.timeout(60_000);
        const build = (logins: Logins) =>
          createDockerEngine({
            ...{ dockerfile: join(folder, 'Dockerfile'), buildArguments: {}, workFolder: folder, platform },
            engine: createEngineClient(engineAddress({ DOCKER_HOST: docker.socket }, 'linux'), signal),
            cacheName: 'model-delivery-cache/identity',
            logins: async () => logins,
            readBase: async () => undefined,
            onLine: () => undefined,
            signal,
          }).build();
        await assert.rejects(build({}), { code: 'DOCKERFILE_FAILED' });
        const login = { username: refreshTokenUser, password: await password() };
        const built = await build({ [host]: login });
        assert.equal(built.config.config?.Labels?.['from'], 'private');
        assert.ok(acr.requests.some((line) => line.startsWith('GET /oauth2/token')));
        assert.equal(local.devops.requests.length > 0, true);
      }),
    ));
});
