import type { SystemPackage } from '../lib/systemPackage.ts';

/** What Debian and Ubuntu have to provide for the node. */
export const clusterPackages: readonly SystemPackage[] = [
  { name: 'runc', purpose: 'starts the containers of pods' },
  { name: 'containernetworking-plugins', purpose: 'gives pods their network' },
  { name: 'iptables', purpose: 'carries the rules of Services' },
  { name: 'mount', purpose: 'mounts the volumes of pods' },
  { name: 'iproute2', purpose: "makes the node's network" },
  { name: 'util-linux', purpose: "makes the node's namespaces" },
];
