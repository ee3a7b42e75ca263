import type { ErrorDetails } from '../../errors.ts';

/** The request that an answer belongs to, in words. */
export interface Call {
  readonly verb: string;
  /** For example `Deployment 'web' in namespace 'prod'`. */
  readonly what: string;
}

/** What an answer means, in the words of an error. */
export type Explanation = Pick<ErrorDetails, 'code' | 'side' | 'message' | 'remedy'>;
