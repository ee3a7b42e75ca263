import http from 'node:http';
import https from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { createNodeAgent } from './nodeAgent.ts';
import type { ChooseProxy } from './proxy.ts';
import { NetworkDispatcher } from './routed.ts';

/** Authorities to trust and the certificate to show. */
export type Trust = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase'>;

/** A server whose certificate was not accepted. */
export interface Untrusted {
  /** The address's origin. */
  readonly origin: string;
  readonly error: Error;
}

/** How this process reaches others: proxies, authorities, and what went wrong on the way. */
export interface Network {
  readonly proxyFor: ChooseProxy;
  /** Empty where Node's own choice is right. */
  readonly trust: Trust;
  /** How the task names itself in every request. */
  readonly userAgent?: string;
  /** Failures of proxies and certificates, newest last; the reader of an error that hides them is told of them. */
  readonly failures: (Error | Untrusted)[];
}

/** A network by its settings. */
export function createNetwork(settings: Omit<Network, 'failures'>): Network {
  return { ...settings, failures: [] };
}

/**
 * Makes it the network of this process, as Node itself does from version 24 on where it is asked to
 * (NODE_USE_ENV_PROXY): undici's global dispatcher and Node's global agents lead through it.
 */
export function installNetwork(network: Network): void {
  setGlobalDispatcher(new NetworkDispatcher(network));
  http.globalAgent = createNodeAgent(network);
  https.globalAgent = http.globalAgent as https.Agent;
}

/** The network that was installed; undefined where Node's defaults hold. */
export function installedNetwork(): Network | undefined {
  const dispatcher = getGlobalDispatcher();
  return dispatcher instanceof NetworkDispatcher ? dispatcher.network : undefined;
}
