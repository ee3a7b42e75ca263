/** How users reach the Service by name: an Ingress, or a route of a Gateway. */
export type Route =
  | {
      readonly kind: 'ingress';
      readonly host?: string;
      readonly path: string;
      /** Existing secret with the certificate. */
      readonly tlsSecret?: string;
      readonly className?: string;
    }
  | {
      readonly kind: 'gateway';
      /** `name`, or `namespace/name`. */
      readonly gateway: string;
      readonly host?: string;
      readonly path: string;
    };

/** What a Deployment, its Service and what is around them are generated from when there are no manifests. */
export interface Application {
  /** DNS label: name of all objects. */
  readonly name: string;
  readonly replicas: number;
  /** The port that the container listens on. */
  readonly port: number;
  readonly service: { readonly type: 'LoadBalancer' | 'ClusterIP' | 'NodePort'; readonly port: number };
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  readonly gpu?: { readonly resource: string; readonly count: number };
  /** Path that answers 2xx once the pod can serve; without it an open port counts as ready. */
  readonly readinessPath?: string;
  /** Path that answers 2xx while the container need not be restarted. */
  readonly livenessPath?: string;
  /** Longest time until it is ready for the first time, for example to load the model. */
  readonly startupSeconds?: number;
  /** Existing secret with the registry's credentials. */
  readonly imagePullSecret?: string;
  /** auto: where the image names a user that is not root. */
  readonly nonRoot: 'auto' | 'always' | 'never';
  readonly isSpread: boolean;
  readonly hasBudget: boolean;
  readonly autoscaler?: { readonly maxReplicas: number; readonly cpuPercent: number };
  readonly route?: Route;
}

/** The image as far as the objects depend on it. */
export interface GeneratedImage {
  readonly reference: string;
  /** The user that its configuration names. */
  readonly user?: string;
}
