import { DeliveryError, type ErrorDetails } from '../../errors.ts';
import { admissionRefusal } from './admissionError.ts';
import { azureRoleRemedy, byAzureRoles } from './azureRoles.ts';
import type { Call, Explanation } from './explanation.ts';
import { withoutValues } from './withoutValues.ts';

/** The API server's Status object, as far as it is read here. */
export interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly name?: string;
    readonly kind?: string;
    readonly causes?: readonly {
      readonly field?: string;
      readonly message?: string;
      readonly reason?: string;
    }[];
    readonly retryAfterSeconds?: number;
  };
}

/** A refusal by the API server, explained; `status` and `reason` let the caller react to some of them. */
export class ApiError extends DeliveryError {
  readonly status: number;
  readonly reason: string;

  constructor(details: ErrorDetails, status: number, reason: string) {
    super(details);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

/** Server-side apply answers 500 for a field or value that the kind's schema does not have, or cannot be read. */
const misfits =
  /failed to create typed patch object|field not declared in schema|failed to convert new object|unable to convert unstructured object|error decoding from json/;

function forbidden(call: Call, message: string): Explanation {
  if (/exceeded quota/.test(message)) {
    return {
      code: 'QUOTA_EXCEEDED',
      side: 'cluster',
      message: `The namespace's quota does not allow ${call.what}: ${message}`,
      remedy: 'Raise the ResourceQuota, or lower the replicas or the resource requests.',
    };
  }
  const denied =
    /User "([^"]*)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/.exec(
      message,
    );
  if (denied === null) {
    return {
      code: 'CLUSTER_FORBIDDEN',
      side: 'cluster',
      message: `The cluster refuses to ${call.verb} ${call.what}: ${message}`,
      remedy: 'Look at the admission rules and the roles of this identity in the cluster.',
    };
  }
  const [, user, verb = '', resource, group, namespace] = denied;
  const place = namespace === undefined ? 'in the whole cluster' : `in namespace '${namespace}'`;
  return {
    code: 'CLUSTER_FORBIDDEN',
    side: 'cluster',
    message: `'${user}' may not ${verb} ${resource} ${place} (asked to ${call.verb} ${call.what}).`,
    remedy: byAzureRoles(message)
      ? azureRoleRemedy([verb], namespace)
      : `Grant the verb '${verb}' on resource '${resource}' of API group '${group}' by a ${
          namespace === undefined ? 'ClusterRole' : 'Role'
        }; docs/deploy-to-aks.md has the smallest one.`,
  };
}

function conflict(call: Call, status: Status): Explanation {
  const causes = (status.details?.causes ?? []).filter((cause) => cause.reason === 'FieldManagerConflict');
  if (causes.length === 0) {
    return {
      code: 'CLUSTER_CONFLICT',
      side: 'cluster',
      message: `${call.what} was changed by somebody else at the same time: ${status.message ?? ''}`,
      remedy: 'Run the task again.',
    };
  }
  const fields = causes.map((cause) => `${cause.field ?? '?'} (${cause.message ?? 'owned by another'})`);
  return {
    code: 'APPLY_CONFLICT',
    side: 'cluster',
    message: `Another tool manages fields of ${call.what}: ${fields.join('; ')}.`,
    remedy:
      "Take these fields out of your manifests, or set 'forceConflicts: true' to take them over; the other tool will then fight for them.",
  };
}

function invalid(call: Call, status: Status): Explanation {
  const causes = status.details?.causes ?? [];
  const fields = causes.map((cause) => `${cause.field ?? '?'}: ${cause.message ?? ''}`);
  const immutable = fields.some((field) => /immutable/.test(field));
  return {
    code: 'MANIFEST_INVALID',
    side: 'input',
    message: `The API server refuses ${call.what}: ${fields.length > 0 ? fields.join('; ') : (status.message ?? '')}`,
    remedy: immutable
      ? 'An immutable field cannot be changed in place: give the object another name, or delete it first.'
      : 'Correct these fields in the manifest or in the inputs they are generated from.',
  };
}

function notFound(call: Call, status: Status): Explanation {
  const namespace = /namespaces "([^"]+)" not found/.exec(status.message ?? '')?.[1];
  if (namespace !== undefined) {
    return {
      code: 'NAMESPACE_NOT_FOUND',
      side: 'input',
      message: `The cluster has no namespace '${namespace}' (asked to ${call.verb} ${call.what}).`,
      remedy: "Correct the input 'namespace', create the namespace, or set 'createNamespace: true'.",
    };
  }
  return {
    code: 'OBJECT_NOT_FOUND',
    side: 'cluster',
    message: `The cluster has no ${call.what}: ${status.message ?? ''}`,
    remedy: 'Check the name and the namespace.',
  };
}

function unauthenticated(call: Call): Explanation {
  return {
    code: 'CLUSTER_UNAUTHENTICATED',
    side: 'identity',
    message: `The API server does not accept the credentials (asked to ${call.verb} ${call.what}).`,
    remedy:
      'The token or client certificate is wrong, expired, or of another cluster: renew it in the connection.',
  };
}

function terminating(call: Call, message: string): Explanation {
  return {
    code: 'NAMESPACE_TERMINATING',
    side: 'cluster',
    message: `The namespace is being deleted, so nothing can be added to it (asked to ${call.verb} ${call.what}): ${message}`,
    remedy: 'Wait until it is gone, then run the task again.',
  };
}

function tooLarge(call: Call, message: string): Explanation {
  return {
    code: 'MANIFEST_TOO_LARGE',
    side: 'input',
    message: `The API server takes no object as large as ${call.what}: ${message}`,
    remedy:
      'Keep data out of manifests: 3 MiB is the limit of a request, 1 MiB that of ConfigMaps and Secrets.',
  };
}

function other(call: Call, status: number, message: string): Explanation {
  return {
    code: 'CLUSTER_ERROR',
    side: 'cluster',
    message: `The API server answered ${status} when asked to ${call.verb} ${call.what}: ${message}`,
    remedy: "Look at the API server's health; run the task again when it has recovered.",
  };
}

/** The answer fit to be shown. */
function shown({ message, details, ...rest }: Status, isSecret: boolean): Status {
  const clean = (text: string): string => withoutValues(text, isSecret);
  const causes = details?.causes?.map((cause) =>
    cause.message === undefined ? cause : { ...cause, message: clean(cause.message) },
  );
  return {
    ...rest,
    ...(message === undefined ? {} : { message: clean(message) }),
    ...(details === undefined ? {} : { details: causes === undefined ? details : { ...details, causes } }),
  };
}

function explanation(call: Call, code: number, answer: Status): Explanation {
  const status = shown(answer, call.what.startsWith("Secret '"));
  const message = status.message ?? 'no message';
  const refused = admissionRefusal(call, message);
  if (refused !== undefined) return refused;
  if (/is being terminated/.test(message)) return terminating(call, message);
  if (misfits.test(message)) return invalid(call, status);
  if (code === 401) return unauthenticated(call);
  if (code === 403) return forbidden(call, message);
  if (code === 404) return notFound(call, status);
  if (code === 413) return tooLarge(call, message);
  if (code === 409) return conflict(call, status);
  if (code === 400 || code === 422) return invalid(call, status);
  return other(call, code, message);
}

/** Turns an answer of 400 and above into the error that explains it; `cause` tells the request's ids. */
export function apiError(call: Call, code: number, status: Status, cause?: Error): ApiError {
  return new ApiError({ ...explanation(call, code, status), cause }, code, status.reason ?? '');
}
