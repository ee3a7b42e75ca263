import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { runPipeline } from '../../local/agent/index.ts';
import { createAuthority } from '../../local/identity/authority.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import type { AgentNetwork } from '../../src/host/network.ts';
import { withFolder } from '../support/folder.ts';
import { assertNoSecret, textBelow } from '../support/secretScan.ts';
import { services } from '../support/services.ts';
import { builtExtension } from '../support/vsix.ts';

/** Programs that the tasks start, beside pip: each is taken from the agent's PATH by its name. */
const programs = ['buildctl', 'buildah', 'helm', 'kustomize', 'sign-in'] as const;

/** Stands for a program: it keeps what it was given, and says `answer` on its standard output. */
const recorder = (answer: string): string => `#!/bin/sh
/usr/bin/env > "$0.environment"
printf '%s\\n' "$@" > "$0.arguments"
/bin/cat "$SSL_CERT_FILE" > "$0.authorities"
/bin/cat <<'END'
${answer}
END
`;

const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: made }\n';

/** The cluster's kubeconfig, but for its user: that one signs in by a program. */
function byPlugin(kubeconfig: string): { kubeconfig: string; credential: string } {
  const { users, ...rest } = parse(kubeconfig) as {
    readonly users: readonly { readonly name: string; readonly user: Record<string, string> }[];
  };
  const [admin] = users;
  const text = (field: string): string => Buffer.from(admin?.user[field] ?? '', 'base64').toString();
  const apiVersion = 'client.authentication.k8s.io/v1';
  const exec = { apiVersion, command: 'sign-in', args: ['token'], interactiveMode: 'Never' };
  const status = {
    clientCertificateData: text('client-certificate-data'),
    clientKeyData: text('client-key-data'),
  };
  return {
    kubeconfig: JSON.stringify({ ...rest, users: [{ name: admin?.name, user: { exec } }] }),
    credential: JSON.stringify({ apiVersion, kind: 'ExecCredential', status }),
  };
}

const deploy = (manifests: string): string => `
- task: DeployToAks@1
  continueOnError: true
  inputs:
    connectionType: kubeconfig
    kubeconfig: cluster.yaml
    allowExecPlugins: true
    manifests: ${manifests}
    image: registry.example/team/app@sha256:${'a'.repeat(64)}
    dryRun: true
`;

const build = (engine: string): string => `
- task: BuildModelImage@1
  continueOnError: true
  inputs:
    engine: ${engine}
    containerRegistry: registry
    repository: children/${randomBytes(6).toString('hex')}
    dockerfile: app/Dockerfile
    appFolder: app
    modelFolder: model
    buildkitAddress: ${engine === 'buildkit' ? 'tcp://buildkit.test:1234' : ''}
`;

const steps = `steps:\n- checkout: self\n${build('buildkit')}${build('podman')}${deploy('overlay')}${deploy('chart')}`;

function connectionsFile({ url, username, password }: RegistryEndpoint): string {
  const id = '00000000-0000-4000-8000-0000000000cc';
  const place = { name: 'registry', id, type: 'dockerregistry', url, scheme: 'UsernamePassword' };
  const parameters = { username, password, registry: url };
  return JSON.stringify({ connections: [{ ...place, parameters, data: { registrytype: 'Others' } }] });
}

/** What is told apart from the others: what they print, and whether they fail. */
function programText(name: (typeof programs)[number], credential: string): string {
  if (name === 'sign-in') return recorder(credential);
  return name.startsWith('build') ? `${recorder('')}exit 1\n` : recorder(configMap);
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text, { mode: 0o755 });
  }
}

/** Runs all steps on an agent with these programs; the text of its log. */
async function runOn(folder: string, network: AgentNetwork, accessToken: string): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  const { logFolder } = await runPipeline({
    ...{ file: join(folder, 'checkout/steps.yml'), workingCopy: join(folder, 'checkout') },
    ...{ workFolder: join(folder, 'agent'), connectionsFile: join(folder, 'connections.json') },
    ...{ vsix: await builtExtension(), screen: false as const },
    environment: {
      ...environment,
      PATH: `${join(folder, 'tools')}:${process.env['PATH']}`,
      DOCKER_HOST: `unix://${join(folder, 'none.sock')}`,
    },
    system: { url: 'https://devops.test/local/', accessToken },
    network,
  });
  return textBelow(logFolder);
}

describe('programs that the packaged tasks start', function () {
  this.timeout(180_000);

  it("get a way through the agent's proxy and its authorities, and no credential", () =>
    withFolder(async (folder) => {
      const { registry, cluster } = await services('registry', 'cluster');
      const admin = await readFile(cluster.kubeconfig, 'utf8');
      const { kubeconfig, credential } = byPlugin(admin);
      const authority = await createAuthority('organisation');
      await writeFiles(folder, {
        'checkout/steps.yml': steps,
        'checkout/cluster.yaml': kubeconfig,
        'checkout/app/Dockerfile': 'FROM scratch\nCOPY . .\n',
        'checkout/model/weights.bin': 'weights',
        'checkout/overlay/kustomization.yaml': 'resources: []\n',
        'checkout/chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
        'connections.json': connectionsFile(registry),
        'ca.pem': authority.certificate,
        ...Object.fromEntries(programs.map((name) => [`tools/${name}`, programText(name, credential)])),
      });
      const user = { username: 'agent', password: `p@ss/${randomBytes(9).toString('hex')}` };
      const accessToken = randomBytes(24).toString('hex');
      const bypass = [registry.host, new URL(/server: (\S+)/.exec(admin)?.[1] ?? '').host];
      const proxy = { url: 'http://127.0.0.1:9', ...user, bypass };
      const log = await runOn(folder, { proxy, caFile: join(folder, 'ca.pem') }, accessToken);
      for (const name of programs) {
        const kept = async (what: string): Promise<string> =>
          readFile(join(folder, 'tools', `${name}.${what}`), 'utf8').catch(() =>
            assert.fail(`${name}\n${log}`),
          );
        const [given, words] = [await kept('environment'), await kept('arguments')];
        assert.match(given, /^HTTPS_PROXY=http:\/\/task:[0-9a-f]{48}@127\.0\.0\.1:\d+$/m, name);
        assert.match(given, /^NO_PROXY=localhost,127\.0\.0\.1,::1$/m, name);
        assert.ok((await kept('authorities')).includes(authority.certificate.trim()), name);
        assertNoSecret({ given, words }, [user.password, accessToken, registry.password]);
      }
    }));
});
