/** Reads a variable of the agent. */
type ReadVariable = (name: string) => string | undefined;

/**
 * Docker@2's labels of `addPipelineData` by the variables they repeat.
 * https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/docker-v2
 */
const variables: Readonly<Record<string, string>> = {
  'com.azure.dev.image.system.teamfoundationcollectionuri': 'System.TeamFoundationCollectionUri',
  'com.azure.dev.image.system.teamproject': 'System.TeamProject',
  'com.azure.dev.image.build.repository.name': 'Build.Repository.Name',
  'com.azure.dev.image.build.repository.uri': 'Build.Repository.Uri',
  'com.azure.dev.image.build.sourceversion': 'Build.SourceVersion',
  'com.azure.dev.image.build.sourcebranchname': 'Build.SourceBranchName',
  'com.azure.dev.image.build.definitionname': 'Build.DefinitionName',
  'com.azure.dev.image.build.buildnumber': 'Build.BuildNumber',
  'com.azure.dev.image.build.builduri': 'Build.BuildUri',
  'com.azure.dev.image.build.requestedfor': 'Build.RequestedFor',
  'com.azure.dev.image.release.definitionname': 'Release.DefinitionName',
  'com.azure.dev.image.release.releaseid': 'Release.ReleaseId',
  'org.opencontainers.image.revision': 'Build.SourceVersion',
  'org.opencontainers.image.source': 'Build.Repository.Uri',
  'org.opencontainers.image.version': 'Build.BuildNumber',
};

/** A repository's address may carry a token. */
export function withoutCredentials(value: string): string {
  return value.replace(/\/\/[^/@\s]*@/, '//');
}

/** Labels that lead from the image back to the commit and the run. */
export function runLabels(read: ReadVariable): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [label, variable] of Object.entries(variables)) {
    const value = read(variable);
    if (value !== undefined) labels[label] = withoutCredentials(value);
  }
  return labels;
}
