import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { soon, type TestNamespace } from './deployment.ts';

/** The Role of the user guide, so that what it promises is proved. */
export async function documentedRole(): Promise<KubeObject> {
  const guide = await readFile(new URL('../../docs/deploy-to-aks.md', import.meta.url), 'utf8');
  const block = /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(guide)?.[1] ?? '';
  const [role] = parseAllDocuments(block).map((document) => document.toJS() as KubeObject);
  assert.ok(role);
  return role;
}

/** Gives a group of Entra the documented Role in the namespace; the binding, which is the group's name. */
export async function bindGroup(
  { client, name: namespace }: TestNamespace,
  group: string,
): Promise<KubeObject> {
  const apiGroup = 'rbac.authorization.k8s.io';
  const role = { ...(await documentedRole()), metadata: { name: group, namespace } };
  const binding = {
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata: { name: group, namespace },
    subjects: [{ apiGroup, kind: 'Group', name: group }],
    roleRef: { apiGroup, kind: 'Role', name: group },
  };
  for (const object of [role, binding]) await client.create(object, soon());
  return binding;
}
