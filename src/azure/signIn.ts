import { rootCertificates } from 'node:tls';
import type { Host } from '../host/host.ts';

/** What signing in needs of the agent. */
export type SignInHost = Pick<Host, 'secret' | 'pipelineIdentity' | 'cancelled' | 'log'>;

/** What every connection to Azure's services needs beside addresses. */
export interface Network {
  /** PEM certificates that are trusted beside the system's own. */
  readonly certificateAuthorities?: string;
}

/** All authorities to trust, where the network names some; undefined leaves the choice to Node. */
export function trustedAuthorities(network: Network): string[] | undefined {
  const own = network.certificateAuthorities;
  return own === undefined ? undefined : [...rootCertificates, own];
}

/** A token and its end, in milliseconds since 1970. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

/**
 * Signs in as one identity. It has the shape that Azure's SDKs call a TokenCredential: every call may bring a
 * new token, and a failure is a DeliveryError of side `identity`.
 */
export interface Identity {
  getToken(scopes: string | string[], options?: { abortSignal?: AbortSignal }): Promise<IssuedToken>;
}

/** The scope that asks for a token for an audience. */
export function scopeFor(audience: string): string {
  return `${audience.replace(/\/+$/, '')}/.default`;
}
