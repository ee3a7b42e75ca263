import http from 'node:http';
import https from 'node:https';
import { getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { createNodeAgent } from './nodeAgent.ts';
import { NetworkDispatcher } from './routed.ts';
import type { Network } from './settings.ts';

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
