import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { issuerPort } from './entra.ts';
import { nodeName } from './layout.ts';
import { type NodeSettings, podRange } from './nodeFiles.ts';

/** A process of the node, as the Go side reads it (local/toolchain/programs/kubernetes/supervisor.go). */
interface Unit {
  readonly name: string;
  readonly command: readonly string[];
  readonly after: readonly string[];
  readonly ready: string;
}

/** Addresses of Services; the first one is the API server's. */
const serviceRange = '10.96.0.0/16';
export const apiServiceAddress = '10.96.0.1';
const etcdUrl = 'http://127.0.0.1:2379';

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

function etcd(program: string, state: string): Unit {
  const peer = 'http://127.0.0.1:2380';
  const options = {
    name: nodeName,
    'data-dir': `${state}/etcd`,
    'listen-client-urls': etcdUrl,
    'advertise-client-urls': etcdUrl,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `${nodeName}=${peer}`,
    'log-level': 'warn',
    // A member that is alone has nobody to wait for before it elects itself.
    'heartbeat-interval': '10',
    'election-timeout': '100',
  };
  // The data need not survive a power cut, and waiting for the disk would slow every write.
  const command = [program, 'etcd', '--unsafe-no-fsync', ...flags(options)];
  return { name: 'etcd', command, after: [], ready: `${etcdUrl}/health` };
}

function issuer(state: string): Unit {
  const program = fileURLToPath(new URL('issuer.mjs', import.meta.url));
  const keys = [`${state}/keys/server.crt`, `${state}/keys/server.key`];
  const command = [process.execPath, program, `${state}/entra`, ...keys, `${issuerPort}`];
  return { name: 'issuer', command, after: [], ready: `https://127.0.0.1:${issuerPort}/keys` };
}

function apiServer(program: string, state: string, nodeAddress: string): Unit {
  const keys = `${state}/keys`;
  const options = {
    'etcd-servers': etcdUrl,
    'bind-address': '0.0.0.0',
    'advertise-address': nodeAddress,
    'tls-cert-file': `${keys}/server.crt`,
    'tls-private-key-file': `${keys}/server.key`,
    'client-ca-file': `${keys}/ca.crt`,
    'requestheader-client-ca-file': `${keys}/ca.crt`,
    'requestheader-allowed-names': 'front-proxy',
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': `${keys}/service-account.key`,
    'service-account-signing-key-file': `${keys}/service-account.key`,
    'service-cluster-ip-range': serviceRange,
    'kubelet-certificate-authority': `${keys}/ca.crt`,
    'kubelet-client-certificate': `${keys}/apiserver-to-kubelet.crt`,
    'kubelet-client-key': `${keys}/apiserver-to-kubelet.key`,
    'kubelet-preferred-address-types': 'InternalIP',
    'allow-privileged': 'true',
    'authentication-config': `${state}/entra/authentication.json`,
  };
  const command = [program, 'kube-apiserver', ...flags(options)];
  const after = ['etcd', 'issuer'];
  return { name: 'kube-apiserver', command, after, ready: 'https://127.0.0.1:6443/readyz' };
}

/** Controller manager or scheduler: both take the same options about who they are. */
function controller(program: string, keys: string, part: string, port: number, more: string[]): Unit {
  const kubeconfig = `${keys}/${part}.kubeconfig`;
  const options = {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'tls-cert-file': `${keys}/server.crt`,
    'tls-private-key-file': `${keys}/server.key`,
    'leader-elect': 'false',
  };
  const command = [program, part, ...flags(options), ...more];
  return { name: part, command, after: ['kube-apiserver'], ready: `https://127.0.0.1:${port}/healthz` };
}

function controllerManagerFlags(keys: string, state: string): string[] {
  return flags({
    'root-ca-file': `${keys}/ca.crt`,
    'service-account-private-key-file': `${keys}/service-account.key`,
    // One identity for all controllers: making one each takes seconds at every start.
    'use-service-account-credentials': 'false',
    'kube-api-qps': '200',
    'kube-api-burst': '400',
    'flex-volume-plugin-dir': `${state}/volume-plugins`,
  });
}

function kubelet(program: string, state: string, nodeAddress: string): Unit {
  const options = {
    config: `${state}/kubelet.json`,
    kubeconfig: `${state}/keys/kubelet.kubeconfig`,
    'hostname-override': nodeName,
    'node-ip': nodeAddress,
  };
  return {
    name: 'kubelet',
    command: [program, 'kubelet', ...flags(options)],
    after: ['kube-apiserver', 'pause-image'],
    ready: `http://${nodeAddress}:10248/healthz`,
  };
}

function kubeProxy(program: string, keys: string): Unit {
  const options = {
    kubeconfig: `${keys}/kube-proxy.kubeconfig`,
    'hostname-override': nodeName,
    'proxy-mode': 'iptables',
    'cluster-cidr': podRange,
    // The table's size is the machine's, not the node's.
    'conntrack-max-per-core': '0',
    'oom-score-adj': '0',
  };
  const command = [program, 'kube-proxy', ...flags(options)];
  return { name: 'kube-proxy', command, after: ['kube-apiserver'], ready: 'http://127.0.0.1:10256/healthz' };
}

/** Every process of the node, in its own words: what starts after what, and where it answers. */
export function nodeUnits({ layout, network, binaries }: NodeSettings): Unit[] {
  const { state, bin } = layout.inside;
  const keys = `${state}/keys`;
  const program = `${bin}/${basename(binaries.kubernetes)}`;
  const containerd = [`${bin}/${basename(binaries.containerd)}`, '--config', `${state}/containerd.toml`];
  const load = [`${bin}/${basename(binaries.ctr)}`, '-n', 'k8s.io', 'images', 'import', `${state}/pause.tar`];
  const managerFlags = controllerManagerFlags(keys, state);
  return [
    etcd(program, state),
    issuer(state),
    apiServer(program, state, network.nodeAddress),
    controller(program, keys, 'kube-controller-manager', 10257, managerFlags),
    controller(program, keys, 'kube-scheduler', 10259, []),
    { name: 'containerd', command: containerd, after: [], ready: 'unix:/run/containerd/containerd.sock' },
    { name: 'pause-image', command: load, after: ['containerd'], ready: '' },
    kubelet(program, state, network.nodeAddress),
    kubeProxy(program, keys),
  ];
}
