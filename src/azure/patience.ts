import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import { isTemporaryStatus, parseRetryAfter } from '../http/retry.ts';

/**
 * What the SDK's retries lack: it waits as long as `Retry-After` asks, be it a day, and no cancelled job interrupts it.
 * With this policy a wait is two minutes at most, and ends with the job. `onAnswer` learns each answer's status, of
 * which MSAL's errors say nothing.
 */
export function patience(cancelled: AbortSignal, onAnswer: (status: number) => void): PipelinePolicy {
  return {
    name: 'modelDeliveryPatience',
    async sendRequest(request, next) {
      request.abortSignal = cancelled;
      const response = await next(request);
      onAnswer(response.status);
      const waitMs = parseRetryAfter(response.headers.get('retry-after'));
      if (waitMs !== undefined && isTemporaryStatus(response.status)) {
        response.headers.set('retry-after', `${waitMs / 1000}`);
      }
      return response;
    },
  };
}
