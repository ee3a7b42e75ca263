import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { chooseImage } from '../../src/kube/image/newest.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { withFolder } from '../support/folder.ts';
import type { Recorded } from '../support/host.ts';
import { baseImage, runBuild } from '../support/image.ts';
import { withReferrersRegistry } from '../support/referrersRegistry.ts';
import { services } from '../support/services.ts';
import { pushWebImages, registryClient } from '../support/webImage.ts';

const commit = '6f1d3c0a9b8e7d6c5b4a39281706f5e4d3c2b1a0';
const variables = {
  'Build.BuildId': '42',
  'Build.SourceVersion': commit,
  'Build.SourceBranch': 'refs/heads/main',
  'Build.Repository.Uri': 'https://robot:secret@dev.example/team/_git/scoring',
  'System.TeamFoundationCollectionUri': 'https://dev.example/team/',
  'System.TeamProject': 'Credit Risk',
  'System.DefinitionId': '7',
};
const types = { sbom: 'application/vnd.cyclonedx+json', provenance: 'application/vnd.in-toto+json' };

describe('Documents about an image', function () {
  this.timeout(300_000);
  let distribution: RegistryEndpoint;
  let base: string;

  before(async () => {
    distribution = (await services('registry')).registry;
    base = (await baseImage(distribution)).reference;
  });

  const withProject = (
    use: (
      repository: string,
      build: (registry: RegistryEndpoint, inputs: Readonly<Record<string, string>>) => Promise<Recorded>,
    ) => Promise<void>,
  ): Promise<void> =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'model', 'weights.bin'), randomBytes(100_000));
      await writeFile(join(folder, 'requirements.txt'), 'flask==3.0.3\nmarkupsafe==3.0.2\n');
      const repository = `documents/${randomBytes(6).toString('hex')}`;
      const more = { repository, modelFolder: join(folder, 'model') };
      await use(repository, (registry, inputs) =>
        runBuild({ registry, folder, variables, inputs: { ...more, baseImage: base, ...inputs } }),
      );
    });

  /** The document of a type and its manifest, as any client finds them from the image. */
  const documentOf = async (
    registry: RegistryEndpoint,
    repository: string,
    found: readonly Descriptor[],
    type: string,
  ) => {
    const client = registryClient(registry, repository);
    const entries = found.filter((entry) => entry.artifactType === type);
    assert.equal(entries.length, 1);
    const stored = await client.manifest(repository, entries[0]?.digest ?? '');
    assert.ok(stored.kind === 'image');
    assert.equal(stored.size, entries[0]?.size);
    const parts: Uint8Array[] = [];
    for await (const part of client.readBlob(repository, stored.manifest.layers[0]?.digest ?? ''))
      parts.push(part);
    return { manifest: stored.manifest, text: Buffer.concat(parts).toString('utf8') };
  };

  it('are a CycloneDX bill of materials and a SLSA provenance whose subject is the image', async () => {
    await withProject(async (repository, build) => {
      const inputs = { sbom: 'true', provenance: 'true', requirements: 'requirements.txt' };
      const said = await build(distribution, inputs);
      const digest = String(said.outputs.get('imageDigest'));
      const client = registryClient(distribution, repository);
      const found = await client.referrers(repository, digest);
      assert.deepEqual(found.map((entry) => entry.artifactType).sort(), Object.values(types).sort());

      const sbom = await documentOf(distribution, repository, found, types.sbom);
      assert.equal(sbom.manifest.subject?.digest, digest);
      assert.equal(sbom.manifest.config.mediaType, 'application/vnd.oci.empty.v1+json');
      const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
      assert.equal(await validator.validate(sbom.text), null);
      const bom = JSON.parse(sbom.text);
      const component = (name: string) => bom.components.find((one: { name: string }) => one.name === name);
      const model = component('model');
      assert.equal(model.type, 'machine-learning-model');
      const stored = await client.manifest(repository, digest);
      assert.ok(stored.kind === 'image');
      const modelDigest = stored.manifest.annotations?.['dev.model-delivery.model.digest'];
      assert.equal(`sha256:${model.hashes[0].content}`, modelDigest);
      assert.equal(component('flask').version, '3.0.3');
      assert.match(component('markupsafe').hashes[0].content, /^[0-9a-f]{64}$/);
      const baseDigest = stored.manifest.annotations?.['org.opencontainers.image.base.digest'];
      const purls = bom.components.flatMap((one: { purl?: string }) =>
        one.purl === undefined ? [] : [one.purl],
      );
      assert.ok(purls.some((purl: string) => PackageURL.fromString(purl).version === baseDigest));
      assert.equal(bom.dependencies[0].dependsOn.length, bom.components.length);
      assert.equal(bom.compositions[0].aggregate, 'incomplete', 'what the base image holds is not told');

      const { text } = await documentOf(distribution, repository, found, types.provenance);
      assert.equal(text.includes('secret'), false);
      const statement = JSON.parse(text);
      assert.equal(statement._type, 'https://in-toto.io/Statement/v1');
      assert.equal(statement.predicateType, 'https://slsa.dev/provenance/v1');
      assert.equal(`sha256:${statement.subject[0].digest.sha256}`, digest);
      const { buildDefinition, runDetails } = statement.predicate;
      const [source] = buildDefinition.resolvedDependencies;
      assert.equal(source.digest.gitCommit, commit);
      assert.equal(source.uri, 'git+https://dev.example/team/_git/scoring@refs/heads/main');
      assert.equal(
        runDetails.metadata.invocationId,
        'https://dev.example/team/Credit%20Risk/_build/results?buildId=42',
      );
      assert.equal(runDetails.builder.id, 'https://dev.example/team/Credit%20Risk/_build?definitionId=7');
    });
  });

  it('name the packages too when their layer was found in the registry', async () => {
    await withProject(async (repository, build) => {
      await build(distribution, { requirements: 'requirements.txt' });
      const said = await build(distribution, { requirements: 'requirements.txt', sbom: 'true' });
      const digest = String(said.outputs.get('imageDigest'));
      const found = await registryClient(distribution, repository).referrers(repository, digest);
      const { text } = await documentOf(distribution, repository, found, types.sbom);
      assert.ok(
        JSON.parse(text).components.some((one: { purl?: string }) => one.purl === 'pkg:pypi/flask@3.0.3'),
      );
    });
  });

  it('stand in the list of the tag where the registry keeps none, and are no candidates for a deployment', async () => {
    await withProject(async (repository, build) => {
      const said = await build(distribution, { sbom: 'true', provenance: 'true' });
      const digest = String(said.outputs.get('imageDigest'));
      const client = registryClient(distribution, repository);
      const index = await client.manifest(repository, digest.replace(':', '-'));
      assert.ok(index.kind === 'index');
      assert.equal(index.index.manifests.length, 2);
      const { chosen, candidates } = await chooseImage(client, repository, { by: 'newest' });
      assert.equal(chosen.digest, digest);
      assert.deepEqual(
        candidates.map((one) => one.tag),
        ['test'],
      );
    });
  });

  it('get no tag where the registry keeps the list by itself', async () => {
    await withReferrersRegistry(async (registry) => {
      await withProject(async (repository, build) => {
        const version = { tag: '1', modelVersion: '1', created: '2026-01-01T00:00:00Z' };
        await pushWebImages(registry, 'web', [version]);
        const inputs = { baseImage: `${registry.host}/web:1`, sbom: 'true', provenance: 'true' };
        const said = await build(registry, inputs);
        const client = registryClient(registry, repository);
        const digest = String(said.outputs.get('imageDigest'));
        const found = await client.referrers(repository, digest);
        // Its list names the type as drafts of the specification did, so the manifests are asked.
        const stored = await Promise.all(found.map((entry) => client.manifest(repository, entry.digest)));
        const named = stored.map((one) => (one.kind === 'image' ? one.manifest.artifactType : undefined));
        assert.deepEqual(named.sort(), Object.values(types).sort());
        const tags = await client.listTags(repository);
        assert.equal(
          tags.some((tag) => tag.startsWith('sha256-')),
          false,
        );
        const again = await build(registry, inputs);
        assert.equal(again.outputs.get('imageDigest'), digest);
        assert.equal((await client.referrers(repository, digest)).length, 2);
      });
    });
  });

  it('are added to an unchanged image that lacks its bill of materials; only the run that made it tells of itself', async () => {
    await withProject(async (repository, build) => {
      const first = await build(distribution, {});
      for (let round = 0; round < 2; round += 1) {
        const said = await build(distribution, { sbom: 'true', provenance: 'true' });
        const digest = String(said.outputs.get('imageDigest'));
        assert.equal(digest, first.outputs.get('imageDigest'));
        const found = await registryClient(distribution, repository).referrers(repository, digest);
        assert.deepEqual(
          found.map((entry) => entry.artifactType),
          [types.sbom],
        );
      }
    });
  });

  it('are not made unless they are asked for', async () => {
    await withProject(async (repository, build) => {
      const said = await build(distribution, {});
      const digest = String(said.outputs.get('imageDigest'));
      assert.deepEqual(await registryClient(distribution, repository).referrers(repository, digest), []);
    });
  });
});
