import type { RegistryRefusal } from './refusal.ts';

/** What a refusal is to its reader. */
export interface Verdict {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

const fullPattern = /no space left|disk full|quota|insufficient storage|storage limit/i;

/** What the registry's own code, or its words, say more exactly than the status. */
export function exactVerdict(
  refusal: RegistryRefusal,
  { registryUrl, action }: { readonly registryUrl: string; readonly action: string },
): Verdict | undefined {
  const { status, codes, message } = refusal;
  if (status === 507 || (status >= 400 && status !== 429 && fullPattern.test(message))) {
    return {
      code: 'REGISTRY_FULL',
      message: `The registry ${registryUrl} has no room left to ${action}.`,
      remedy:
        'Delete old tags and let the registry collect its garbage, or raise its quota; what was sent is kept.',
    };
  }
  if (codes.includes('DIGEST_INVALID')) {
    return {
      code: 'UPLOAD_CORRUPT',
      message: `The registry ${registryUrl} got other bytes than were sent, asked to ${action}; sending them anew did not help.`,
      remedy: 'Look for a proxy that changes requests, and at the memory and disks of agent and registry.',
    };
  }
  if (codes.some((code) => ['MANIFEST_INVALID', 'MANIFEST_BLOB_UNKNOWN', 'TAG_INVALID'].includes(code))) {
    return {
      code: 'MANIFEST_REFUSED',
      message: `The registry ${registryUrl} refused to ${action}.`,
      remedy: codes.includes('MANIFEST_BLOB_UNKNOWN')
        ? 'A layer was deleted meanwhile, as by garbage collection: run again, it is sent then.'
        : 'Its reason stands above: a policy for manifests or tags, or a registry that knows no OCI manifests.',
    };
  }
  if (status !== 413) return undefined;
  return {
    code: 'UPLOAD_TOO_LARGE',
    message: `The registry ${registryUrl}, or a proxy before it, takes no request as large as is needed to ${action}.`,
    remedy: 'Raise the limit of the proxy (nginx: client_max_body_size 0), or reach the registry without it.',
  };
}
