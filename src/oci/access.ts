import { explainRegistryFailure } from './failure.ts';
import { createTransport, type Transport, type TransportOptions } from './transport.ts';

/** A transport with what its errors and its tokens need. */
export interface Access {
  readonly transport: Transport;
  /** Runs some requests; their failure is explained with the action that failed. */
  explained<T>(action: string, work: () => Promise<T>): Promise<T>;
  /** The token scope for a repository. */
  scopeOf(repository: string): string;
}

export interface RegistryClientOptions extends TransportOptions {
  /** Repository that will be pushed to: its tokens allow that from the first request on. */
  readonly pushTo?: string;
}

/** The common ground of all requests to one registry. */
export function createAccess(options: RegistryClientOptions): Access {
  const transport = createTransport(options);
  const registryUrl = transport.origin.origin;
  const user = {
    hasIdentity: options.fetchToken !== undefined,
    ...(options.credentials === undefined ? {} : { username: options.credentials.username }),
  };
  return {
    transport,
    async explained(action, work) {
      try {
        return await work();
      } catch (error) {
        options.signal.throwIfAborted();
        throw explainRegistryFailure(error, { registryUrl, action, ...user });
      }
    },
    scopeOf: (repository) =>
      `repository:${repository}:${repository === options.pushTo ? 'pull,push' : 'pull'}`,
  };
}
