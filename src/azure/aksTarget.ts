/** One AKS cluster, and as whom to enter it. */
export interface AksTarget {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly cluster: string;
  /** The cluster's own admin instead of the identity; refused where local accounts are disabled. */
  readonly admin: boolean;
  /** Asks for the public name of a private cluster's API server. */
  readonly publicFqdn?: boolean;
}
