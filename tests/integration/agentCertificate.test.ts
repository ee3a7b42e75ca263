import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { runPipeline } from '../../local/agent/index.ts';
import { type CertificateAuthority, createAuthority } from '../../local/identity/authority.ts';
import { type AgentNetwork, agentNetwork, childNetwork } from '../../src/host/network.ts';
import { runProgram } from '../../src/image/tool/program.ts';
import { type CertificateFiles, certificateFiles } from '../support/agentCertificate.ts';
import { assertNoSecret, textBelow } from '../support/secretScan.ts';
import { builtExtension } from '../support/vsix.ts';

/** A server that talks to nobody without a certificate of the authority; it has a model, and no build service. */
async function startServer(authority: CertificateAuthority, shown: string[]): Promise<Server> {
  const { cert, key } = await authority.issue();
  const demanding = { requestCert: true, rejectUnauthorized: true, ca: authority.certificate };
  const server = createServer({ cert, key, ...demanding }, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    shown.push(`${subject.CN}: ${request.method} ${(request.url ?? '').replace(/[?].*/, '')}`);
    if (request.url !== '/model.onnx') return void response.writeHead(404).end();
    const headers = { etag: '"1"', 'last-modified': new Date(0).toUTCString(), 'content-length': 7 };
    response.writeHead(200, headers).end(request.method === 'HEAD' ? '' : 'weights');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

describe('a server that demands a client certificate, through the packaged task', function () {
  this.timeout(120_000);
  let folder: string;
  let files: CertificateFiles;
  let server: Server;
  const shown: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    const authority = await createAuthority();
    files = await certificateFiles(folder, await authority.issueClient('agent 7'));
    server = await startServer(authority, shown);
    await writeFile(join(folder, 'ca.pem'), authority.certificate);
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await rm(folder, { recursive: true, force: true });
  });

  const fetched = async (name: string, clientCertificate: AgentNetwork['clientCertificate']) => {
    const home = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const repository = join(folder, name, 'repository');
    await mkdir(repository, { recursive: true });
    const inputs = `{ source: http, url: '${home}/model.onnx', model: credit, targetFolder: model }`;
    const file = join(repository, 'fetch.yml');
    await writeFile(file, `steps:\n  - task: FetchModel@1\n    name: model\n    inputs: ${inputs}\n`);
    shown.length = 0;
    const { result, logFolder } = await runPipeline({
      ...{ file, vsix: await builtExtension(), screen: false as const },
      workFolder: join(folder, name, 'agent'),
      system: { url: `${home}/local/`, accessToken: 'the-token-of-this-job' },
      network: { caFile: join(folder, 'ca.pem'), ...(clientCertificate && { clientCertificate }) },
    });
    return { result, log: await textBelow(logFolder), left: await textBelow(join(folder, name)) };
  };

  it('gets it from every client: for the listing, the bytes and Azure DevOps, by key and by PFX archive', async () => {
    const { keyFile: _, ...archive } = files;
    for (const [name, given] of Object.entries({ pem: files, pfx: archive })) {
      const { result, log, left } = await fetched(name, given);
      assert.equal(result, 'Succeeded', log);
      assert.match(log, /7 B fetched/);
      const asked = new Set(shown);
      assert.ok(asked.has('agent 7: GET /model.onnx'), shown.join());
      assert.ok(
        [...asked].some((one) => /^agent 7: \w+ \/local\//.test(one)),
        shown.join(),
      );
      assertNoSecret({ log, left }, [files.passphrase, (await readFile(files.keyFile, 'utf8')).trim()]);
    }
  });

  it('gets it from pip too where its key has no password, and no key is left behind', async () => {
    const index = `https://127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
    const plain = join(folder, 'plain-key.pem');
    const { certFile, keyFile, passphrase } = files;
    const key = createPrivateKey({ key: await readFile(keyFile), passphrase });
    await writeFile(plain, key.export({ type: 'pkcs8', format: 'pem' }));
    /** What the server saw of pip on an agent with this certificate. */
    const seen = async (clientCertificate: NonNullable<AgentNetwork['clientCertificate']>) => {
      const agent = { caFile: join(folder, 'ca.pem'), clientCertificate };
      const own = await mkdtemp(join(folder, 'children-'));
      const secret = (): void => undefined;
      const children = await childNetwork(agent, agentNetwork(agent, {}), {
        ...{ folder: own, environment: {}, secret },
      });
      shown.length = 0;
      const download = ['download', '--no-deps', '--retries', '0', '--dest', own, '--index-url', index];
      const ended = await runProgram({
        command: ['python3', '-m', 'pip', ...download, 'greeting'],
        environment: { PATH: process.env['PATH'], HOME: own, ...children.environment },
        signal: AbortSignal.timeout(60_000),
        onLine: () => undefined,
      });
      assert.notEqual(ended.code, 0, 'the index has no such package');
      children.close();
      assert.doesNotMatch(await textBelow(own), /PRIVATE KEY/);
      return shown.join();
    };
    assert.match(await seen({ certFile, keyFile: plain }), /^agent 7: GET \/simple\/greeting\//);
    assert.equal(await seen({ certFile, keyFile, passphrase }), '');
  });

  it('talks to no agent without one', async () => {
    const { result, log } = await fetched('none', undefined);
    assert.equal(result, 'Failed');
    assert.match(log, /STORAGE_UNREACHABLE|STORAGE_UNTRUSTED|STORAGE_FAILED/);
    assert.deepEqual(shown, []);
  });
});
