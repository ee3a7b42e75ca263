/** True for a refusal by AKS's authoriser, which knows Azure's roles instead of the cluster's. */
export function byAzureRoles(reason: string): boolean {
  return /access to the resource in Azure|update role assignment/i.test(reason);
}

/**
 * What to do where Azure's roles decide: the built-in role that allows these verbs, and where; without a namespace
 * the objects are the whole cluster's. https://learn.microsoft.com/azure/aks/manage-azure-rbac
 */
export function azureRoleRemedy(verbs: readonly string[], namespace: string | undefined): string {
  const reads = verbs.every((verb) => ['get', 'list', 'watch'].includes(verb));
  const writer = namespace === undefined ? 'Cluster Admin' : 'Writer';
  const scope = namespace === undefined ? 'the cluster' : `the cluster's scope '/namespaces/${namespace}'`;
  return `Azure RBAC decides in this cluster: grant the identity 'Azure Kubernetes Service RBAC ${reads ? 'Reader' : writer}' on ${scope} (az role assignment create); it takes effect within minutes.`;
}
