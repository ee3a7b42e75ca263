import type { PipelinePolicy, PipelineRequest } from '@azure/core-rest-pipeline';
import { isTemporaryStatus, parseRetryAfter } from '../http/retry.ts';
import type { TellWait } from './waiting.ts';

export interface Patience {
  readonly cancelled: AbortSignal;
  /** How often the SDK sends a request again. */
  readonly retries: number;
  /** Learns each answer's status, of which MSAL's errors say nothing. */
  readonly onAnswer: (status: number) => void;
  readonly tell: TellWait;
}

/**
 * What the SDK's retries lack: it waits as long as `Retry-After` asks, be it a day, no cancelled job interrupts it, and it
 * says nothing. With this policy a wait is two minutes at most, ends with the job, and is told.
 */
export function patience({ cancelled, retries, onAnswer, tell }: Patience): PipelinePolicy {
  const sent = new WeakMap<PipelineRequest, number>();
  return {
    name: 'modelDeliveryPatience',
    async sendRequest(request, next) {
      request.abortSignal = cancelled;
      const count = (sent.get(request) ?? 0) + 1;
      sent.set(request, count);
      const response = await next(request);
      onAnswer(response.status);
      const waitMs = parseRetryAfter(response.headers.get('retry-after'));
      if (waitMs !== undefined && isTemporaryStatus(response.status)) {
        response.headers.set('retry-after', `${waitMs / 1000}`);
        if (count <= retries) tell(response.status, request.url, waitMs);
      }
      return response;
    },
  };
}
