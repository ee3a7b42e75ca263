import { DeliveryError } from '../errors.ts';
import { isTemporaryStatus } from '../http/retry.ts';
import type { AzureCloud } from './clouds.ts';
import { type AzureAnswer, fieldsOf, type SendAzure } from './http.ts';
import { type Identity, scopeFor } from './signIn.ts';

/** The resource manager of one cloud, asked as one identity. */
export interface Arm {
  readonly cloud: AzureCloud;
  readonly identity: Identity;
  readonly send: SendAzure;
  readonly signal: AbortSignal;
}

export interface ArmRequest {
  /** From `/subscriptions/` on. */
  readonly path: string;
  readonly apiVersion: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** A refusal of the resource manager: its code and sentence, with the id that its support asks for. */
export class ArmRefusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(answer: AzureAnswer) {
    const error = fieldsOf(answer)['error'];
    const fields = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
    const correlation = answer.headers['x-ms-correlation-request-id'];
    const message =
      typeof fields['message'] === 'string' ? fields['message'] : 'the resource manager gave no reason';
    const id = correlation === undefined ? '' : `, correlation id ${String(correlation)}`;
    super(`${message} (HTTP ${answer.status}${id})`);
    this.status = answer.status;
    this.code = typeof fields['code'] === 'string' ? fields['code'] : '';
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

/**
 * POSTs to the resource manager; the answer's fields. Throws ArmRefusal for the caller to explain,
 * ARM_UNREACHABLE, ARM_BUSY or IDENTITY_… errors.
 * https://learn.microsoft.com/rest/api/azure/
 */
export async function armPost(arm: Arm, request: ArmRequest): Promise<Readonly<Record<string, unknown>>> {
  const { token } = await arm.identity.getToken(scopeFor(arm.cloud.resourceManagerAudience));
  const url = new URL(arm.cloud.resourceManagerUrl + request.path);
  const query = { ...request.query, 'api-version': request.apiVersion };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  let answer: AzureAnswer;
  try {
    answer = await arm.send({ method: 'POST', url, headers, body: '' }, arm.signal);
  } catch (error) {
    arm.signal.throwIfAborted();
    throw unreachable(arm, error);
  }
  if (answer.status < 300) return fieldsOf(answer);
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
