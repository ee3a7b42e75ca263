import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { chooseImage } from '../../src/kube/image/newest.ts';
import { type Cosign, ensureCosign } from '../support/cosign.ts';
import { withFolder } from '../support/folder.ts';
import type { Recorded } from '../support/host.ts';
import { baseImage, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';
import { registryClient } from '../support/webImage.ts';

const password = 'correct horse battery staple';

describe('A signed image', function () {
  // The first run on a machine builds the verifier.
  this.timeout(900_000);
  let registry: RegistryEndpoint;
  let base: string;
  let cosign: Cosign;

  before(async () => {
    registry = (await services('registry')).registry;
    base = (await baseImage(registry)).reference;
    cosign = await ensureCosign();
  });

  const withProject = (
    use: (
      folder: string,
      repository: string,
      build: (inputs: Readonly<Record<string, string>>) => Promise<Recorded>,
    ) => Promise<void>,
  ): Promise<void> =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'app'));
      await writeFile(join(folder, 'app', 'app.py'), `print('${randomBytes(4).toString('hex')}')\n`);
      const repository = `signed/${randomBytes(6).toString('hex')}`;
      const common = { repository, appFolder: 'app', baseImage: base };
      await use(folder, repository, (inputs) =>
        runBuild({ registry, folder, inputs: { ...common, ...inputs } }),
      );
    });

  it("is accepted by cosign with its key's public half, and so are the documents about it", async () => {
    await withProject(async (folder, repository, build) => {
      await cosign.generate(folder, password);
      const inputs = {
        signingKey: 'cosign.key',
        signingKeyPassword: password,
        sbom: 'true',
        provenance: 'true',
      };
      const said = await build(inputs);
      const image = String(said.outputs.get('image'));
      const digest = String(said.outputs.get('imageDigest'));
      const key = join(folder, 'cosign.pub');
      const [payload, ...others] = await cosign.verify('signature', key, image, registry);
      assert.equal(others.length, 0);
      const { critical } = JSON.parse(payload ?? '{}');
      assert.equal(critical.image['docker-manifest-digest'], digest);
      assert.equal(critical.identity['docker-reference'], `${registry.host}/${repository}`);
      const attested = await cosign.verify('attestation', key, image, registry);
      const statements = attested.map((text) =>
        JSON.parse(Buffer.from(JSON.parse(text).payload, 'base64').toString('utf8')),
      );
      assert.deepEqual(statements.map(({ predicateType }) => predicateType).sort(), [
        'https://cyclonedx.org/bom',
        'https://slsa.dev/provenance/v1',
      ]);
      assert.equal(statements[0].predicate.bomFormat, 'CycloneDX');
      assert.ok(said.secrets.includes(password));
      assert.ok(said.secrets.includes(await readFile(join(folder, 'cosign.key'), 'utf8')));

      const again = await build(inputs);
      assert.equal(again.outputs.get('imageDigest'), digest);
      assert.equal((await cosign.verify('signature', key, image, registry)).length, 1);
      assert.equal((await cosign.verify('attestation', key, image, registry)).length, 2);
      const { candidates } = await chooseImage(registryClient(registry, repository), repository, {
        by: 'newest',
      });
      assert.deepEqual(
        candidates.map(({ tag }) => tag),
        ['test'],
      );
    });
  });

  it('keeps the signatures of other keys; an image without one, or changed, is refused', async () => {
    await withProject(async (folder, _, build) => {
      const keys = [
        generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
        generateKeyPairSync('rsa', { modulusLength: 2048 }),
        generateKeyPairSync('ed25519'),
      ];
      let image = '';
      const unsigned = await build({});
      for (const [index, { publicKey, privateKey }] of keys.entries()) {
        await writeFile(join(folder, `${index}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
        await assert.rejects(
          cosign.verify(
            'signature',
            join(folder, `${index}.pub`),
            String(unsigned.outputs.get('image')),
            registry,
          ),
        );
        const signingKey = String(privateKey.export({ type: 'pkcs8', format: 'pem' })).replaceAll('\n', ' ');
        image = String((await build({ signingKey })).outputs.get('image'));
      }
      for (const index of keys.keys()) {
        const found = await cosign.verify('signature', join(folder, `${index}.pub`), image, registry);
        assert.equal(found.length, 1);
      }
      await writeFile(join(folder, 'app', 'app.py'), 'print("another")\n');
      const other = String((await build({})).outputs.get('image'));
      await assert.rejects(cosign.verify('signature', join(folder, '0.pub'), other, registry));
    });
  });

  it('is not pushed when the key cannot be used', async () => {
    await withProject(async (folder, repository, build) => {
      await cosign.generate(folder, password);
      const wrong = { signingKey: 'cosign.key', signingKeyPassword: 'another' };
      await assert.rejects(build(wrong), { code: 'SIGNING_KEY_INVALID' });
      await assert.rejects(build({ signingKey: 'missing.key' }), { code: 'SIGNING_KEY_UNREADABLE' });
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp521r1' });
      const signingKey = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await assert.rejects(build({ signingKey }), { code: 'SIGNING_KEY_INVALID', message: /secp521r1/ });
      assert.equal(await registryClient(registry, repository).findManifest(repository, 'test'), undefined);
    });
  });
});
