import type {
  BuildkitEndpoint,
  ClusterEndpoint,
  DockerEndpoint,
  MlflowEndpoint,
  RegistryEndpoint,
  S3Endpoint,
  StorageEndpoint,
} from '../lib/endpoints.ts';

/** What can be started by itself. */
export const serviceParts = ['storage', 's3', 'mlflow', 'registry', 'docker', 'buildkit', 'cluster'] as const;
export type ServicePart = (typeof serviceParts)[number];

/** Where the started services answer. */
export interface LocalServices {
  readonly storage?: StorageEndpoint;
  readonly s3?: S3Endpoint;
  readonly mlflow?: MlflowEndpoint;
  readonly registry?: RegistryEndpoint;
  readonly docker?: DockerEndpoint;
  readonly buildkit?: BuildkitEndpoint;
  readonly cluster?: ClusterEndpoint;
}

const addresses: { readonly [P in ServicePart]: (services: LocalServices) => string | undefined } = {
  storage: ({ storage }) => storage?.blobEndpoint,
  s3: ({ s3 }) => s3?.url,
  mlflow: ({ mlflow }) => mlflow?.url,
  registry: ({ registry }) => registry?.url,
  docker: ({ docker }) => docker?.socket,
  buildkit: ({ buildkit }) => buildkit?.address,
  cluster: ({ cluster }) => cluster?.kubeconfig,
};

/** Where a person finds the service: an address, or the file that holds it. */
export function serviceAddress(services: LocalServices, part: ServicePart): string | undefined {
  return addresses[part](services);
}

/** One line a service: mark, name, address, note. */
export function serviceLine(mark: string, part: ServicePart, address: string, note: string): string {
  return [mark, part.padEnd(8), address, note].filter(Boolean).join('  ');
}
