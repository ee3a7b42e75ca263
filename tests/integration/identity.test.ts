import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { applicationCertificate } from '../../local/identity/authority.ts';
import { tokenExchange } from '../../local/identity/devops.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { azureConnection } from '../../src/azure/connection.ts';
import { createCredential } from '../../src/azure/credential.ts';
import { scopeFor } from '../../src/azure/signIn.ts';
import {
  assertIdsShown,
  azureServiceConnection,
  failureText,
  jobHost,
  networkOf,
  type Scheme,
  signedIn,
} from '../support/identity.ts';

const storage = scopeFor(audiences.storage);

describe('signing in to Azure', () => {
  let local: LocalIdentity;
  let directory: LocalIdentity['directory']['tenants'];
  /** Requests to the OIDC endpoint before the test. */
  let earlier = 0;
  const proofs = (): number => local.devops.requests.length - earlier;

  // One for all: MSAL keeps the address of the machine's identities as long as the process lives.
  before(async () => {
    local = await startIdentity();
    directory = [...local.directory.tenants];
    process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = local.managed.url;
  });

  after(async () => {
    delete process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'];
    await local.close();
  });

  beforeEach(() => {
    Object.assign(local.entra, { lifeSeconds: 3600, clockAheadSeconds: 0 });
    Object.assign(local.devops, { lifeSeconds: 600, forge: false, replay: false, audience: tokenExchange });
    local.directory.tenants = [...directory];
    earlier = local.devops.requests.length;
  });

  const failure = (scheme: Scheme, changed = {}, scope = storage) =>
    failureText(signedIn(local, azureServiceConnection(local, scheme, changed)).identity.getToken(scope));

  for (const scheme of [
    'workloadIdentity',
    'clientSecret',
    'clientCertificate',
    'managedIdentity',
  ] as const) {
    it(`gives a token that the service accepts: ${scheme}`, async () => {
      const { identity, said } = signedIn(local, azureServiceConnection(local, scheme));
      const { token } = await identity.getToken(storage);
      const verified = await local.entra.verify(`Bearer ${token}`, [audiences.storage]);
      assert.ok('claims' in verified);
      const expected = scheme === 'managedIdentity' ? local.system : local.application;
      assert.equal(verified.claims['appid'], expected.clientId);
      assert.ok(said.secrets.includes(token), 'the token is masked');
    });

    it(`renews a token that lives for seconds: ${scheme}`, async () => {
      local.entra.lifeSeconds = 2;
      const { identity } = signedIn(local, azureServiceConnection(local, scheme));
      const registry = scopeFor(audiences.registry);
      const first = await identity.getToken(registry);
      await sleep(2100);
      const old = await local.entra.verify(`Bearer ${first.token}`, [audiences.registry]);
      assert.deepEqual(old, { problem: 'expired' });
      const second = await identity.getToken(registry);
      assert.ok('claims' in (await local.entra.verify(`Bearer ${second.token}`, [audiences.registry])));
    });
  }

  it('proves the pipeline anew for each token, and asks once for those that come together', async () => {
    local.entra.lifeSeconds = 2;
    const { identity } = signedIn(local, azureServiceConnection(local, 'workloadIdentity'));
    await Promise.all(Array.from({ length: 8 }, () => identity.getToken(storage)));
    assert.equal(proofs(), 1);
    await identity.getToken(storage);
    assert.equal(proofs(), 2);
  });

  it('gives each of several services a proof of its own', async () => {
    const { identity } = signedIn(local, azureServiceConnection(local, 'workloadIdentity'));
    const wanted = Object.values(audiences);
    const tokens = await Promise.all(wanted.map((audience) => identity.getToken(scopeFor(audience))));
    for (const [index, audience] of wanted.entries()) {
      const verified = await local.entra.verify(`Bearer ${tokens[index]?.token}`, [audience]);
      assert.ok('claims' in verified, audience);
    }
    assert.equal(proofs(), wanted.length);
  });

  it('signs in as the user-assigned identity that the connection names', async () => {
    const data = { msiclientid: local.userAssigned.clientId };
    const { identity } = signedIn(local, azureServiceConnection(local, 'managedIdentity', { data }));
    const { token } = await identity.getToken(storage);
    const verified = await local.entra.verify(`Bearer ${token}`, [audiences.storage]);
    assert.equal('claims' in verified && verified.claims['appid'], local.userAssigned.clientId);
  });

  it('explains an application that the tenant does not have', async () => {
    const { code, text } = await failure('clientSecret', {
      parameters: { serviceprincipalid: randomUUID() },
    });
    assert.equal(code, 'IDENTITY_APP_UNKNOWN');
    assert.match(text, /AADSTS700016/);
    const last = local.entra.exchanges.at(-1);
    assert.match(last?.sent ?? '', /^[0-9a-f-]{36}$/);
    assert.ok(
      text.includes(`correlation id ${last?.sent}, trace id ${last?.answered['x-ms-request-id']}`),
      text,
    );
  });

  it('explains a wrong and an expired secret, and never shows them', async () => {
    const wrong = await failure('clientSecret', { parameters: { serviceprincipalkey: 'not-the-secret' } });
    assert.equal(wrong.code, 'IDENTITY_SECRET_WRONG');
    assert.doesNotMatch(wrong.text, /not-the-secret/);
    const { expiredSecret } = local.application;
    const expired = await failure('clientSecret', { parameters: { serviceprincipalkey: expiredSecret } });
    assert.equal(expired.code, 'IDENTITY_SECRET_EXPIRED');
    assert.ok(!expired.text.includes(expiredSecret));
  });

  it('explains a certificate that is not registered', async () => {
    const { pem } = await applicationCertificate();
    const { code } = await failure('clientCertificate', { parameters: { serviceprincipalcertificate: pem } });
    assert.equal(code, 'IDENTITY_CERTIFICATE_REFUSED');
  });

  it('explains a tenant that does not exist', async () => {
    const { code, text } = await failure('clientSecret', { parameters: { tenantid: randomUUID() } });
    assert.equal(code, 'IDENTITY_TENANT_UNKNOWN', text);
  });

  it('explains a service that the tenant does not know', async () => {
    const { code, text } = await failure('clientSecret', {}, 'https://nothing.example/.default');
    assert.equal(code, 'IDENTITY_RESOURCE_UNKNOWN');
    assert.match(text, /'https:\/\/nothing\.example'/);
  });

  it('explains an OIDC token that has expired', async () => {
    local.devops.lifeSeconds = -5;
    assert.equal((await failure('workloadIdentity')).code, 'IDENTITY_ASSERTION_EXPIRED');
  });

  it("explains an agent's clock that is wrong, by the service's time beside the proof's", async () => {
    local.entra.clockAheadSeconds = -3600;
    const ahead = await failure('clientCertificate');
    assert.equal(ahead.code, 'IDENTITY_ASSERTION_EXPIRED', ahead.text);
    assert.match(ahead.text, /Current time: .* assertion valid from /);
    assert.match(ahead.text, /clock/);
    local.entra.clockAheadSeconds = 3600;
    assert.equal((await failure('clientCertificate')).code, 'IDENTITY_ASSERTION_EXPIRED');
  });

  it("does not blame the agent's clock for a proof that Azure DevOps made", async () => {
    local.entra.clockAheadSeconds = -3600;
    const { code, text } = await failure('workloadIdentity');
    assert.equal(code, 'IDENTITY_ASSERTION_EXPIRED');
    assert.doesNotMatch(text, /agent's clock/);
  });

  it('explains a wrong audience, subject and signature of the OIDC token', async () => {
    local.devops.audience = 'api://other';
    assert.equal((await failure('workloadIdentity')).code, 'IDENTITY_FEDERATION_MISMATCH');
    local.devops.audience = 'api://AzureADTokenExchange';
    const [tenant] = local.directory.tenants;
    assert.ok(tenant);
    const federated = [{ ...local.application.federated?.[0], subject: 'sc://local/project/renamed' }];
    const renamed = { ...tenant, applications: [{ ...local.application, federated }] } as typeof tenant;
    local.directory.tenants[0] = renamed;
    const mismatch = await failure('workloadIdentity');
    assert.equal(mismatch.code, 'IDENTITY_FEDERATION_MISMATCH');
    assert.match(mismatch.text, /sc:\/\/local\/project\/azure/, 'the subject that was presented is shown');
    local.directory.tenants[0] = tenant;
    local.devops.forge = true;
    assert.equal((await failure('workloadIdentity')).code, 'IDENTITY_ASSERTION_REFUSED');
  });

  it('explains an OIDC token that is used again', async () => {
    local.devops.replay = true;
    local.entra.lifeSeconds = 2;
    const { identity } = signedIn(local, azureServiceConnection(local, 'workloadIdentity'));
    await identity.getToken(storage);
    assert.equal((await failureText(identity.getToken(storage))).code, 'IDENTITY_ASSERTION_REFUSED');
  });

  it("explains Azure DevOps's refusals to give an OIDC token", async () => {
    const connection = azureServiceConnection(local, 'workloadIdentity');
    const stranger = signedIn(local, { ...connection, id: randomUUID() });
    const unknown = await failureText(stranger.identity.getToken(storage));
    assert.equal(unknown.code, 'IDENTITY_OIDC_REFUSED');
    assert.match(unknown.text, /No service connection found/);
    assertIdsShown(unknown.text, local.devops.exchanges.at(-1));
    const { identity } = signedIn(local, connection, 'token-of-another-job');
    const wrongToken = await failureText(identity.getToken(storage));
    assert.equal(wrongToken.code, 'IDENTITY_OIDC_REFUSED');
    assert.doesNotMatch(wrongToken.text, /token-of-another-job/);
  });

  it('explains a managed identity that the machine does not have', async () => {
    const { code } = await failure('managedIdentity', { data: { msiclientid: randomUUID() } });
    assert.equal(code, 'IDENTITY_MANAGED_UNKNOWN');
  });

  // The last one about the machine: its service is gone afterwards.
  it('explains a machine without managed identity', async () => {
    await local.managed.close();
    const { code } = await failure('managedIdentity', {}, scopeFor(audiences.aks));
    assert.equal(code, 'IDENTITY_MANAGED_UNREACHABLE');
  });

  it('explains a sign-in service that cannot be reached, and one that is not trusted', async () => {
    const other = await startIdentity();
    const data = { activedirectoryauthority: other.entra.url };
    const untrusted = await failure('clientSecret', { data });
    assert.equal(untrusted.code, 'IDENTITY_UNTRUSTED', untrusted.text);
    await other.close();
    const gone = await failure('clientSecret', { data });
    assert.equal(gone.code, 'IDENTITY_UNREACHABLE', gone.text);
  });

  it('asks again when the sign-in service is overloaded', async () => {
    local.entra.failNext(2, 429);
    const { identity } = signedIn(local, azureServiceConnection(local, 'clientSecret'));
    assert.ok((await identity.getToken(storage)).token);
  });

  it('waits as long as a throttled sign-in service asks for', async () => {
    local.entra.failNext(1, 429, 1);
    const { identity, said } = signedIn(local, azureServiceConnection(local, 'clientSecret'));
    assert.ok((await identity.getToken(storage)).token);
    assert.equal(local.entra.tooEarly, 0);
    const { host } = new URL(local.entra.url);
    assert.deepEqual(said.lines, [
      `${host} takes no more requests for now (HTTP 429): next attempt in 1.0 s`,
    ]);
  });

  it('ends such a wait with the job', async () => {
    local.entra.failNext(1, 429, 60);
    const { host } = jobHost(local);
    const stop = new AbortController();
    const stopped = { ...host, cancelled: stop.signal };
    const connection = azureConnection(azureServiceConnection(local, 'clientSecret'));
    const waiting = createCredential(connection, stopped, networkOf(local)).getToken(storage);
    setTimeout(() => stop.abort(new Error('the job was cancelled')), 500);
    await assert.rejects(waiting, /the job was cancelled/);
  });

  for (const status of [429, 503]) {
    it(`says after some attempts that the sign-in service is busy: HTTP ${status}`, async () => {
      local.entra.failNext(100, status);
      const { code, text } = await failure('clientSecret').finally(() => local.entra.failNext(0, status));
      assert.equal(code, 'IDENTITY_BUSY', text);
    });
  }
});
