import type { ModelServer } from '../server.ts';

/** The public hub; mirrors and hubs of one's own speak the same protocol. */
export const publicHub = 'https://huggingface.co';

/** A model of a hub. */
export interface HuggingFaceLocation extends ModelServer {
  /** The repository's id: `owner/name`, or `name` alone. */
  readonly model: string;
}
