import { createHash } from 'node:crypto';
import type { Credentials } from '../../oci/auth.ts';
import type { KubeObject } from '../objects/objects.ts';
import { withPodTemplate } from '../objects/workload.ts';
import type { Manifest } from './manifests.ts';

/** Docker Hub's credentials are looked up under this name; every other registry's under its host. */
function credentialKey(host: string): string {
  return host === 'docker.io' ? 'https://index.docker.io/v1/' : host;
}

/** The name of the secret for a registry: the same at every run, so that it is updated and never doubled. */
export function pullSecretName(host: string): string {
  const readable = host
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  const hash = createHash('sha256').update(host).digest('hex').slice(0, 8);
  return `pull-${readable}-${hash}`;
}

/** The secret that lets the kubelet pull from a registry with these credentials. */
export function pullSecret(host: string, credentials: Credentials): Manifest {
  const { username, password } = credentials;
  const auth = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
  const document = { auths: { [credentialKey(host)]: { username, password, auth } } };
  return {
    origin: "the pull secret made for 'createPullSecret'",
    object: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: pullSecretName(host) },
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': Buffer.from(JSON.stringify(document), 'utf8').toString('base64') },
    },
  };
}

/** Lets a workload's pods use the secret. */
export function withPullSecret(object: KubeObject, name: string): KubeObject {
  return withPodTemplate(object, (template) => {
    if (template.spec === undefined) return template;
    const others = (template.spec.imagePullSecrets ?? []).filter((secret) => secret.name !== name);
    return { ...template, spec: { ...template.spec, imagePullSecrets: [...others, { name }] } };
  });
}
