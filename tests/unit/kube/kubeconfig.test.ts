import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { DeliveryError } from '../../../src/errors.ts';
import { connect } from '../../../src/kube/connection/connect.ts';
import { readKubeconfig } from '../../../src/kube/connection/kubeconfig.ts';
import { readServiceConnection } from '../../../src/kube/connection/serviceConnection.ts';
import { withFolder } from '../../support/folder.ts';
import { recordingHost } from '../../support/host.ts';

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function kubeconfig(user: object, cluster: object = {}): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod',
    contexts: [
      { name: 'prod', context: { cluster: 'aks', user: 'deployer', namespace: 'shop' } },
      { name: 'lost', context: { cluster: 'gone', user: 'deployer' } },
    ],
    clusters: [
      {
        name: 'aks',
        cluster: {
          server: 'https://api.example:6443',
          'certificate-authority-data': base64('CA PEM'),
          ...cluster,
        },
      },
    ],
    users: [{ name: 'deployer', user }],
  });
}

async function read(content: string, context?: string, folder = '/nowhere') {
  const secrets: string[] = [];
  const access = await readKubeconfig({
    content,
    folder,
    secret: (value) => void secrets.push(value),
    ...(context === undefined ? {} : { context }),
  });
  return { access, secrets };
}

function hasCode(code: string, message?: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof DeliveryError);
    assert.equal(error.code, code);
    if (message !== undefined) assert.match(`${error.message} ${error.remedy}`, message);
    return true;
  };
}

describe('A kubeconfig', () => {
  it('gives server, authority, namespace and token of its current context, the token as a secret', async () => {
    const { access, secrets } = await read(kubeconfig({ token: 'very-secret-token' }));
    assert.equal(access.server, 'https://api.example:6443');
    assert.equal(access.certificateAuthority, 'CA PEM');
    assert.equal(access.namespace, 'shop');
    assert.equal(access.skipTlsVerify, false);
    assert.equal(await access.token?.(), 'very-secret-token');
    assert.deepEqual(secrets, ['very-secret-token']);
  });

  it('gives client certificate and key, the key as a secret in both of its forms', async () => {
    const { access, secrets } = await read(
      kubeconfig({ 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') }),
    );
    assert.equal(access.clientCertificate, 'CERT');
    assert.equal(access.clientKey, 'KEY');
    assert.deepEqual(secrets, ['KEY', base64('KEY')]);
  });

  it('reads a token file at every request, since tokens are rotated', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'token');
      await writeFile(file, 'first\n');
      const { access } = await read(kubeconfig({ tokenFile: 'token' }), undefined, folder);
      assert.equal(await access.token?.(), 'first');
      await writeFile(file, 'second\n');
      assert.equal(await access.token?.(), 'second');
    });
  });

  it('leaves the certificate unverified only when it says so itself', async () => {
    const { access } = await read(kubeconfig({ token: 'abcd' }, { 'insecure-skip-tls-verify': true }));
    assert.equal(access.skipTlsVerify, true);
  });

  it('refuses exec plug-ins and names the command that the agent lacks', async () => {
    const user = { exec: { command: 'kubelogin', apiVersion: 'client.authentication.k8s.io/v1' } };
    await assert.rejects(read(kubeconfig(user)), hasCode('KUBECONFIG_PLUGIN', /kubelogin/));
  });

  it('runs an exec plug-in when that is asked for, again when its token ends, and keeps its tokens secret', async () => {
    const script = `
      const { spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
      const token = [process.env.WHO, spec.interactive, process.hrtime.bigint()].join('-');
      const expirationTimestamp = process.argv[1] === 'ends' ? new Date().toISOString() : undefined;
      console.log(JSON.stringify({ kind: 'ExecCredential', status: { token, expirationTimestamp } }));`;
    const signIn = async (mode: string) => {
      const env = [{ name: 'WHO', value: 'token-of-me' }];
      const exec = { command: process.execPath, args: ['-e', script, mode], env };
      const inputs = { kubeconfig: kubeconfig({ exec }) };
      const { host, said } = recordingHost({ workingFolder: '/' });
      const access = await connect({ type: 'kubeconfig', ...inputs, allowPlugins: true }, host);
      return { access, said };
    };
    const lasting = await signIn('lasts');
    const token = await lasting.access.token?.();
    assert.match(token ?? '', /^token-of-me-false-/);
    assert.equal(await lasting.access.token?.(), token);
    assert.deepEqual(lasting.said.secrets, [token]);
    const ending = await signIn('ends');
    assert.notEqual(await ending.access.token?.(), await ending.access.token?.());
  });

  it('tells why an exec plug-in gives no credential, without what it prints', async () => {
    for (const [command, args, expected] of [
      [process.execPath, ['-e', "console.log('secret text')"], /prints is no JSON/],
      [
        process.execPath,
        ['-e', "console.error('please sign in'); process.exit(3)", 'secret text'],
        /please sign in/,
      ],
      ['no-such-plugin', [], /'no-such-plugin' gives no credential: it ended with ENOENT/],
    ] as const) {
      const { host } = recordingHost({ workingFolder: '/' });
      const content = kubeconfig({ exec: { command, args } });
      await assert.rejects(
        connect({ type: 'kubeconfig', kubeconfig: content, allowPlugins: true }, host),
        (error: unknown) => {
          assert.ok(error instanceof DeliveryError);
          assert.doesNotMatch(error.message, /secret text/);
          return hasCode('KUBECONFIG_PLUGIN', expected)(error);
        },
      );
    }
  });

  it('shows near matches for a context that is not there', async () => {
    await assert.rejects(
      read(kubeconfig({ token: 'abcd' }), 'prd'),
      hasCode('KUBECONFIG_INVALID', /'prd'.*It has: prod/),
    );
  });

  it('names the cluster that a context lacks', async () => {
    await assert.rejects(
      read(kubeconfig({ token: 'abcd' }), 'lost'),
      hasCode('KUBECONFIG_INVALID', /cluster named 'gone'/),
    );
  });

  it('never quotes its text when it is no YAML, since that may be a key', async () => {
    const broken = 'clusters: [\n  token: "hush-hush-key\n';
    await assert.rejects(read(broken), (error: unknown) => {
      assert.ok(error instanceof DeliveryError);
      assert.equal(error.code, 'KUBECONFIG_INVALID');
      assert.doesNotMatch(`${error.message}${String(error.cause)}`, /hush-hush/);
      return true;
    });
  });
});

describe('A Kubernetes service connection', () => {
  const reading = { folder: '/nowhere', secret: () => undefined };

  it('of a service account gives its URL, authority and decoded token', async () => {
    const access = await readServiceConnection(
      {
        id: 'aks',
        url: 'https://api.example',
        scheme: 'Token',
        parameters: { serviceaccountcertificate: base64('CA PEM'), apitoken: base64('sa-token') },
        data: { authorizationtype: 'ServiceAccount' },
      },
      reading,
    );
    assert.equal(access.server, 'https://api.example');
    assert.equal(access.certificateAuthority, 'CA PEM');
    assert.equal(await access.token?.(), 'sa-token');
    assert.equal(access.skipTlsVerify, false);
  });

  it('of a kubeconfig uses the chosen context', async () => {
    const access = await readServiceConnection(
      {
        id: 'aks',
        url: '',
        scheme: 'Kubernetes',
        parameters: { kubeconfig: kubeconfig({ token: 'abcd' }), clustercontext: 'prod' },
        data: { authorizationtype: 'Kubeconfig' },
      },
      reading,
    );
    assert.equal(access.server, 'https://api.example:6443');
  });

  it('without a token is refused with what to do', async () => {
    const connection = {
      id: 'aks',
      url: 'https://api.example',
      scheme: 'Token',
      parameters: {},
      data: { authorizationtype: 'ServiceAccount' },
    };
    await assert.rejects(
      readServiceConnection(connection, reading),
      hasCode('SERVICE_CONNECTION_INVALID', /apiToken/),
    );
  });
});
