import { basename, join } from 'node:path';
import type { ClusterBinaries } from './binaries.ts';
import type { ClusterNetwork } from './clusterNetwork.ts';
import { type ClusterLayout, containerdSocket } from './layout.ts';

/** The image of the process that holds a pod's namespaces. */
export const pauseReference = 'localhost/model-delivery/pause:1';

/** Addresses of pods. They are seen only inside the node's network namespace. */
export const podRange = '10.244.0.0/16';

/** What the files of a node depend on. */
export interface NodeSettings {
  readonly layout: ClusterLayout;
  readonly network: ClusterNetwork;
  readonly binaries: ClusterBinaries;
  /** `overlayfs`, or `native` where the state folder lies on an overlay already. */
  readonly snapshotter: string;
}

/** https://github.com/containerd/containerd/blob/v2.3.7/docs/cri/config.md */
function containerdConfig({ layout, binaries, snapshotter }: NodeSettings): string {
  const { state, bin } = layout.inside;
  return `version = 3
root = "${state}/containerd"
state = "/run/containerd"
# These would write outside of the node's own folders.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
  address = "${containerdSocket}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "${snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${pauseReference}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "${state}/registries"

[plugins."io.containerd.cri.v1.runtime"]
  # Machines without CAP_SYS_RESOURCE cannot lower the score.
  restrict_oom_score_adj = true
  # A profile loaded into the kernel would outlive the node.
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
    conf_dir = "${state}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "${bin}/${basename(binaries.shim)}"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}

/** A routed pair for each pod rather than a bridge: rules for Services hold between pods without br_netfilter. */
const podNetwork = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'ptp',
      ipMasq: true,
      ipam: {
        type: 'host-local',
        dataDir: '/run/pod-addresses',
        ranges: [[{ subnet: podRange }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubeletConfig({ layout, network }: NodeSettings): unknown {
  const { state } = layout.inside;
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${state}/keys/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${state}/keys/server.crt`,
    tlsPrivateKeyFile: `${state}/keys/server.key`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${layout.name}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    // No DNS server runs: an address that refuses at once is better than one that lets a look-up time out.
    clusterDNS: [network.nodeAddress],
    clusterDomain: 'cluster.local',
    resolvConf: `${state}/resolv.conf`,
    healthzBindAddress: network.nodeAddress,
    volumePluginDir: `${state}/volume-plugins`,
    // A developer's disk may be nearly full; pods of a local cluster stay all the same.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    serializeImagePulls: false,
  };
}

/** Files of the node by their path below the cluster's folder. */
export function nodeFiles(settings: NodeSettings): Readonly<Record<string, string>> {
  return {
    'containerd.toml': containerdConfig(settings),
    [join('cni', 'pods.conflist')]: JSON.stringify(podNetwork),
    'kubelet.json': JSON.stringify(kubeletConfig(settings)),
    'resolv.conf': `nameserver ${settings.network.nodeAddress}\n`,
  };
}

/** What containerd reads about a registry that speaks plain HTTP (containerd's docs/hosts.md). */
export function registryHosts(registry: string): string {
  return `server = "http://${registry}"\n\n[host."http://${registry}"]\n  capabilities = ["pull", "resolve"]\n`;
}
