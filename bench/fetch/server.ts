import type { ModelCase } from './cases.ts';

/** A server that has the models of all cases, and how each contestant reaches it. */
export interface ModelServer {
  readonly name: string;
  /** FetchModel's inputs. */
  readonly inputs: (model: ModelCase) => Readonly<Record<string, string>>;
  /** What FetchModel finds in its environment beside them. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Address of one file, with whatever lets a reader in. */
  readonly address: (model: ModelCase, file: string) => string;
  /** rclone's remote, as its environment variables, and the path of the model there. */
  readonly rclone: {
    readonly environment: Readonly<Record<string, string>>;
    readonly path: (model: ModelCase) => string;
  };
  /** File of the authority that signed the server's certificate, for https. */
  readonly authority?: string;
  /** Address of the blob container, for the Azure SDK. */
  readonly containerUrl?: string;
  /** Name of the bucket, for the AWS SDK, which takes the rest from the environment. */
  readonly bucket?: string;
}
