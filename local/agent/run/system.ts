import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { AgentNetwork } from '../../../src/host/network.ts';
import type { Variables } from '../variables.ts';
import type { Job, Stage } from '../yaml/model.ts';
import type { JobFolders, RunContext } from './context.ts';
import { definitionIdOf, projectId } from './ids.ts';

const collectionId = '00000000-0000-4000-8000-000000000002';
/** The agent whose contract is followed; tasks may ask for a minimum version. */
const agentVersion = '4.260.0';

const systems: Readonly<Record<string, string>> = { linux: 'Linux', darwin: 'Darwin', win32: 'Windows_NT' };
const architectures: Readonly<Record<string, string>> = {
  x64: 'X64',
  arm64: 'ARM64',
  ia32: 'X86',
  arm: 'ARM',
};

function agentVariables(run: RunContext, job: Job, folders: JobFolders): Record<string, string> {
  return {
    'Agent.BuildDirectory': folders.workspace,
    'Agent.HomeDirectory': run.folders.work,
    'Agent.Id': '1',
    'Agent.IsSelfHosted': '1',
    'Agent.JobName': job.displayName,
    'Agent.JobStatus': 'Succeeded',
    'Agent.MachineName': hostname(),
    'Agent.Name': 'local',
    'Agent.OS': systems[process.platform] ?? process.platform,
    'Agent.OSArchitecture': architectures[process.arch] ?? process.arch,
    'Agent.RootDirectory': run.folders.work,
    'Agent.TempDirectory': folders.temp,
    'Agent.ToolsDirectory': run.folders.tools,
    'Agent.Version': agentVersion,
    'Agent.WorkFolder': run.folders.work,
  };
}

function buildVariables(run: RunContext, folders: JobFolders): Record<string, string> {
  const { source, buildId } = run;
  return {
    'Build.ArtifactStagingDirectory': folders.staging,
    'Build.BinariesDirectory': folders.binaries,
    'Build.BuildId': String(buildId),
    'Build.BuildNumber': run.state.buildNumber,
    'Build.BuildUri': `vstfs:///Build/Build/${buildId}`,
    'Build.ContainerId': String(buildId),
    'Build.DefinitionName': run.definitionName,
    'Build.DefinitionVersion': '1',
    'Build.QueuedBy': 'local',
    'Build.Reason': 'Manual',
    'Build.Repository.Clean': 'True',
    'Build.Repository.ID': projectId,
    'Build.Repository.LocalPath': folders.sources,
    'Build.Repository.Name': source.repositoryName,
    'Build.Repository.Provider': 'TfsGit',
    'Build.Repository.Uri': source.repositoryUri,
    'Build.RequestedFor': 'local',
    'Build.SourceBranch': source.branch,
    'Build.SourceBranchName': basename(source.branch),
    'Build.SourcesDirectory': folders.sources,
    'Build.SourceVersion': source.version,
    'Build.SourceVersionAuthor': source.author,
    'Build.SourceVersionMessage': source.message,
    'Build.StagingDirectory': folders.staging,
    'Common.TestResultsDirectory': folders.testResults,
    'Pipeline.Workspace': folders.workspace,
  };
}

function systemVariables(
  run: RunContext,
  stage: Stage,
  job: Job,
  folders: JobFolders,
): Record<string, string> {
  return {
    'System.ArtifactsDirectory': folders.staging,
    'System.CollectionId': collectionId,
    'System.CollectionUri': run.system.url,
    'System.Culture': 'en-US',
    'System.DefaultWorkingDirectory': folders.sources,
    'System.DefinitionId': String(definitionIdOf(run.definitionName)),
    'System.DefinitionName': run.definitionName,
    'System.HostType': 'build',
    'System.JobAttempt': '1',
    'System.JobDisplayName': job.displayName,
    'System.JobId': projectId,
    'System.JobName': job.name,
    'System.OidcRequestUri':
      run.system.oidcRequestUri ??
      `${run.system.url}${projectId}/_apis/distributedtask/hubs/build/plans/${projectId}/jobs/${projectId}/oidctoken`,
    'System.PhaseAttempt': '1',
    'System.PhaseDisplayName': job.displayName,
    'System.PhaseName': job.name,
    'System.PipelineStartTime': run.startTime.toISOString(),
    'System.PlanId': projectId,
    'System.ServerType': 'Hosted',
    'System.StageAttempt': '1',
    'System.StageDisplayName': stage.displayName,
    'System.StageName': stage.name,
    'System.TaskDefinitionsUri': run.system.url,
    'System.TeamFoundationCollectionUri': run.system.url,
    'System.TeamProject': 'local',
    'System.TeamProjectId': projectId,
    'System.TimelineId': projectId,
    TF_BUILD: 'True',
  };
}

function environmentVariables(job: Job): Record<string, string> {
  if (job.environment === '') return {};
  return { 'Environment.Name': job.environment, 'Environment.Id': '1', 'Strategy.Name': 'runOnce' };
}

/** What `config --proxyurl … --sslcacert …` set. https://learn.microsoft.com/azure/devops/pipelines/agents/proxy */
function setNetwork(variables: Variables, { proxy, caFile, clientCertificate }: AgentNetwork): void {
  const shown: Readonly<Record<string, string | undefined>> = {
    'Agent.ProxyUrl': proxy?.url,
    'Agent.ProxyUsername': proxy?.username,
    'Agent.ProxyBypassList': proxy && JSON.stringify(proxy.bypass),
    'Agent.CAInfo': caFile,
    'Agent.ClientCert': clientCertificate?.certFile,
    'Agent.ClientCertKey': clientCertificate?.keyFile,
    'Agent.ClientCertArchive': clientCertificate?.archiveFile,
  };
  const secret = {
    'Agent.ProxyPassword': proxy?.password,
    'Agent.ClientCertPassword': clientCertificate?.passphrase,
  };
  for (const [name, value] of Object.entries(shown)) if (value) variables.set(name, value);
  for (const [name, value] of Object.entries(secret)) if (value) variables.set(name, value, { secret: true });
}

/** The predefined variables of a job. Source: Azure Pipelines docs, "Use predefined variables". */
export function setPredefined(
  variables: Variables,
  run: RunContext,
  stage: Stage,
  job: Job,
  folders: JobFolders,
): void {
  const predefined = {
    ...agentVariables(run, job, folders),
    ...buildVariables(run, folders),
    ...systemVariables(run, stage, job, folders),
    ...environmentVariables(job),
    ...pipelineResourceVariables(run),
  };
  for (const [name, value] of Object.entries(predefined)) variables.set(name, value);
  setNetwork(variables, run.network);
  variables.set('System.AccessToken', run.system.accessToken, { secret: true });
}

/** `resources.pipeline.<alias>.runName` and its like, for each resource that has a run. */
function pipelineResourceVariables(run: RunContext): Record<string, string> {
  const runs = run.artifacts.runs();
  const entries = run.pipeline.pipelineResources.flatMap(({ alias, source }) => {
    const newest = runs.findLast((record) => record.definitionName.toLowerCase() === source.toLowerCase());
    if (newest === undefined) return [];
    const prefix = `resources.pipeline.${alias}`;
    return [
      [`${prefix}.pipelineName`, source],
      [`${prefix}.runName`, newest.buildNumber],
      [`${prefix}.runID`, String(newest.buildId)],
      [`${prefix}.sourceBranch`, newest.sourceBranch],
      [`${prefix}.sourceCommit`, newest.sourceVersion],
    ];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}
