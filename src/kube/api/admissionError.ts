import type { Call, Explanation } from './explanation.ts';

function denied(call: Call, by: string, why: string): Explanation {
  return {
    code: 'ADMISSION_DENIED',
    side: 'cluster',
    message: `Admission ${by} refuses ${call.what}: ${why}`,
    remedy: "Make the object follow the cluster's policy, or ask the policy's owner.",
  };
}

function unanswered(call: Call, webhook: string, message: string): Explanation {
  return {
    code: 'ADMISSION_UNAVAILABLE',
    side: 'cluster',
    message: `Admission webhook '${webhook}' gives no answer, so the cluster does not take ${call.what}: ${message}`,
    remedy: "Look after the webhook's own pods and Service; run the task again when they answer.",
  };
}

/** Why the admission of an object failed; undefined for other refusals. Webhooks are asked, policies are the API server's own. */
export function admissionRefusal(call: Call, message: string): Explanation | undefined {
  const webhook = /admission webhook "([^"]+)" denied the request/.exec(message)?.[1];
  if (webhook !== undefined) return denied(call, `webhook '${webhook}'`, message);
  const silent = /failed calling webhook "([^"]+)"/.exec(message)?.[1];
  if (silent !== undefined) return unanswered(call, silent, message);
  const [, policy, why = ''] =
    /ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)/s.exec(message) ?? [];
  return policy === undefined ? undefined : denied(call, `policy '${policy}'`, why);
}
