import { DeliveryError } from '../errors.ts';
import { isTemporaryStatus } from '../http/retry.ts';
import type { AzureCloud } from './clouds.ts';
import { type AzureAnswer, type AzureRequest, fieldsOf, type SendAzure } from './http.ts';
import { type Identity, scopeFor } from './signIn.ts';

/** The resource manager of one cloud, asked as one identity. */
export interface Arm {
  readonly cloud: AzureCloud;
  readonly identity: Identity;
  readonly send: SendAzure;
  readonly signal: AbortSignal;
}

export interface ArmRequest {
  readonly method: 'GET' | 'POST';
  /** From `/subscriptions/` on. */
  readonly path: string;
  readonly apiVersion: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-policy-requestdisallowedbypolicy */
function policyNameIn(additional: unknown): string | undefined {
  const all = Array.isArray(additional) ? additional : [];
  const violation = all.map(recordOf).find(({ type }) => type === 'PolicyViolation');
  const { policyAssignmentDisplayName, policyAssignmentName } = recordOf(violation?.['info']);
  return [policyAssignmentDisplayName, policyAssignmentName].find(
    (name) => typeof name === 'string' && name !== '',
  ) as string | undefined;
}

/** A refusal of the resource manager: its code and sentence, with the id that its support asks for. */
export class ArmRefusal extends Error {
  readonly status: number;
  readonly code: string;
  /** Of the policy that refused, as people named it. */
  readonly policyName: string | undefined;

  constructor(answer: AzureAnswer) {
    const fields = recordOf(fieldsOf(answer)['error']);
    const message =
      typeof fields['message'] === 'string' ? fields['message'] : 'the resource manager gave no reason';
    super(`${message} (HTTP ${answer.status}, ${answer.correlation})`);
    this.status = answer.status;
    this.code = typeof fields['code'] === 'string' ? fields['code'] : '';
    this.policyName = policyNameIn(fields['additionalInfo']);
  }
}

function unreachable(arm: Arm, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'ARM_UNREACHABLE',
    side: 'identity',
    message: `Azure's resource manager ${arm.cloud.resourceManagerUrl} cannot be reached from this agent.`,
    remedy:
      "Admit the host in the agent's firewall or proxy, and check that the agent trusts its certificate.",
    cause,
  });
}

async function sent(arm: Arm, request: AzureRequest): Promise<AzureAnswer> {
  const { token } = await arm.identity.getToken(scopeFor(arm.cloud.resourceManagerAudience));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  let answer: AzureAnswer;
  try {
    answer = await arm.send({ ...request, headers }, arm.signal);
  } catch (error) {
    arm.signal.throwIfAborted();
    throw unreachable(arm, error);
  }
  if (answer.status < 300) return answer;
  const refusal = new ArmRefusal(answer);
  if (!isTemporaryStatus(answer.status)) throw refusal;
  throw new DeliveryError({
    code: 'ARM_BUSY',
    side: 'identity',
    message: "Azure's resource manager is overloaded or failing, also after several attempts.",
    remedy: 'Run again later; many pipelines with one identity share its limits.',
    cause: refusal,
  });
}

/**
 * Asks the resource manager; the whole answer, of a status below 300. Throws ArmRefusal for the caller to explain,
 * ARM_UNREACHABLE, ARM_BUSY or IDENTITY_… errors.
 * https://learn.microsoft.com/rest/api/azure/
 */
export function armSend(arm: Arm, request: ArmRequest): Promise<AzureAnswer> {
  const { method, path, apiVersion, body } = request;
  const url = new URL(arm.cloud.resourceManagerUrl + path);
  const query = { ...request.query, 'api-version': apiVersion };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (method === 'GET') return sent(arm, { method, url });
  // What has a body starts something (a command, a run); what has none asks for an address or a credential.
  const once = body !== undefined;
  return sent(arm, { method, url, body: once ? JSON.stringify(body) : '', once });
}

/** {@link armSend}, and the answer's fields. */
export async function armFields(arm: Arm, request: ArmRequest): Promise<Readonly<Record<string, unknown>>> {
  return fieldsOf(await armSend(arm, request));
}

/**
 * Asks an address that an answer of the resource manager named (`Location`). Throws ARM_ANSWER_INVALID for an
 * address elsewhere, which must not get the token, and what {@link armSend} throws.
 */
export function armFollow(arm: Arm, location: string): Promise<AzureAnswer> {
  const url = new URL(location, arm.cloud.resourceManagerUrl);
  if (url.origin === new URL(arm.cloud.resourceManagerUrl).origin) return sent(arm, { method: 'GET', url });
  throw new DeliveryError({
    code: 'ARM_ANSWER_INVALID',
    side: 'identity',
    message: `Azure's resource manager sends on to '${url.origin}', which is not itself.`,
    remedy: "Check the service connection's environment and URL, and that no proxy answers in its place.",
  });
}
