/** The node's network, as the machine sees it. */
export interface ClusterNetwork {
  /** The machine's address on the pair: where the node and its pods reach services of the machine. */
  readonly hostAddress: string;
  /** The node's address: where the machine reaches the API server. */
  readonly nodeAddress: string;
  /** Name of the network namespace, as `ip netns` lists it. */
  readonly namespace: string;
  /** CIDR of the addresses that Services of type LoadBalancer get. */
  readonly loadBalancerRange: string;
}
