import type { Access } from './access.ts';

/**
 * Removes a tag of an Azure container registry and leaves its manifest, which the OCI API does not promise. The
 * identity needs the right to delete (role AcrDelete).
 * https://learn.microsoft.com/rest/api/containerregistry/tag/delete
 */
export function removeAcrTag(access: Access, repository: string, tag: string): Promise<void> {
  return access.explained(`remove the tag ${repository}:${tag}`, async () => {
    const response = await access.transport.send({
      method: 'DELETE',
      path: `/acr/v1/${repository}/_tags/${encodeURIComponent(tag)}`,
      scope: `repository:${repository}:delete`,
      expect: [200, 202],
      attempts: 1,
    });
    await response.body.dump();
  });
}
