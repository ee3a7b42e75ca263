import { explainUnreachable } from '../../azure/failure.ts';
import { DeliveryError } from '../../errors.ts';
import { isTemporaryStatus } from '../../http/retry.ts';
import type { S3SignIn } from './connection.ts';
import { shownClaims, type TokenClaims } from './tokenClaims.ts';

/** What was asked for when the token service refused. */
export interface RoleOrder {
  readonly signIn: Exclude<S3SignIn, { kind: 'keys' }>;
  readonly region: string;
  readonly claims?: TokenClaims;
}

interface Refusal {
  readonly code: string;
  readonly why: string;
  readonly remedy: string;
}

/** The fields of the SDK's error that tell what the service said. */
interface StsError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

const page = 'docs/identity/s3.md';

function notTrusted({ signIn, claims }: RoleOrder): Refusal {
  const external =
    signIn.kind === 'role' && signIn.externalId !== undefined
      ? "its sts:ExternalId must be the connection's"
      : 'it must ask for no sts:ExternalId, or the connection must have it';
  return {
    code: 'S3_ROLE_REFUSED',
    why:
      claims === undefined
        ? 'there is no such role, or it does not trust these keys'
        : `there is no such role, or it does not trust the pipeline (${shownClaims(claims)})`,
    remedy:
      claims === undefined
        ? `See that the role exists (aws iam get-role), that its trust policy names the keys' user and that user may sts:AssumeRole on it; ${external} (${page}).`
        : `See that the role exists (aws iam get-role) and that its trust policy names this issuer, subject and audience letter by letter (${page}).`,
  };
}

function tokenRefused({ claims }: RoleOrder, said: string): Refusal {
  const shown = claims === undefined ? 'the token' : `the token of ${shownClaims(claims)}`;
  if (/audience/i.test(said)) {
    return {
      code: 'S3_OIDC_AUDIENCE_WRONG',
      why: `the identity provider in IAM does not admit the audience of ${shown}`,
      remedy: `Add that audience to the provider: aws iam add-client-id-to-open-id-connect-provider (${page}).`,
    };
  }
  if (/No OpenIDConnect provider/i.test(said)) {
    return {
      code: 'S3_OIDC_ISSUER_UNKNOWN',
      why: `the role's account has no identity provider for the issuer of ${shown}`,
      remedy: `Create it in the account of the role: aws iam create-open-id-connect-provider (${page}). Azure DevOps may have changed the issuer: the provider and the trust policy need the one above.`,
    };
  }
  return {
    code: 'S3_OIDC_TOKEN_REFUSED',
    why: `${shown} could not be verified`,
    remedy:
      "The token service must reach the issuer's published keys (/.well-known/openid-configuration); run again, then compare the issuer with the provider in IAM.",
  };
}

const clock: Refusal = {
  code: 'S3_CLOCK_SKEWED',
  why: "this agent's clock differs from the service's by minutes",
  remedy: "Set the agent's clock (by NTP), then run again.",
};

const wrongKeys: Refusal = {
  code: 'STORAGE_KEY_WRONG',
  why: "the connection's access key ID and secret access key do not fit, or are not known",
  remedy: 'Put the present keys into the service connection, without blanks at their ends.',
};

/** https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, and the errors of both actions. */
const byName: Readonly<Record<string, (order: RoleOrder, said: string) => Refusal>> = {
  AccessDenied: notTrusted,
  /** What services other than AWS's say. */
  NoSuchEntity: notTrusted,
  InvalidIdentityToken: tokenRefused,
  IDPRejectedClaim: tokenRefused,
  IDPCommunicationError: tokenRefused,
  InvalidClientTokenId: () => wrongKeys,
  SignatureDoesNotMatch: (_order, said) => (/expired|not yet current/i.test(said) ? clock : wrongKeys),
  RequestExpired: () => clock,
  ExpiredToken: ({ signIn }) =>
    signIn.kind === 'oidc'
      ? {
          code: 'S3_OIDC_TOKEN_EXPIRED',
          why: "the pipeline's OIDC token had expired when it arrived",
          remedy: 'It lives for minutes: look for a proxy that holds requests back, then run again.',
        }
      : {
          code: 'S3_TOKEN_EXPIRED',
          why: "the connection's session token has expired",
          remedy: 'Keys that last may assume the role; those of a session only as long as it.',
        },
  RegionDisabled: ({ region }) => ({
    code: 'S3_ROLE_REGION_DISABLED',
    why: `the account of the role has the token service of region '${region}' switched off`,
    remedy:
      "Activate it in IAM's account settings, or write another region in the connection's 'STS region'.",
  }),
  ValidationError: ({ signIn }) => ({
    code: 'S3_ROLE_INVALID',
    why: `it does not take what was asked for: ${signIn.role.arn} for ${signIn.role.durationSeconds} seconds`,
    remedy:
      "The session's length must not be above the role's MaxSessionDuration (an hour where a role's session assumes another role); see the reason above.",
  }),
};

function whoOf({ signIn }: RoleOrder): string {
  return `the S3 role ${signIn.role.arn}`;
}

function serviceOf({ signIn, region }: RoleOrder): string {
  return signIn.role.endpoint ?? `https://sts.${region}.amazonaws.com`;
}

/** A failure to begin a role's session, for the reader of the log; what is explained already stays as it is. */
export function explainSts(error: unknown, order: RoleOrder): unknown {
  if (error instanceof DeliveryError || !(error instanceof Error)) return error;
  const { $metadata: { httpStatusCode: status, requestId } = {} } = error as StsError;
  if (status === undefined) return explainUnreachable(error, whoOf(order), serviceOf(order)) ?? error;
  const name = error.name.replace(/Exception$/, '');
  const id = requestId === undefined ? '' : `, request id ${requestId}`;
  const cause = new Error(`${error.message} (HTTP ${status}, ${name}${id})`);
  const known = byName[name]?.(order, error.message);
  if (known === undefined && (isTemporaryStatus(status) || /Throttl/i.test(name))) {
    return new DeliveryError({
      code: 'IDENTITY_BUSY',
      side: 'identity',
      message: `The token service ${serviceOf(order)} is overloaded or failing.`,
      remedy: 'Run again later.',
      cause,
    });
  }
  const { code, why, remedy } = known ?? {
    code: 'S3_ROLE_REFUSED',
    why: 'the reason stands below',
    remedy: `Compare the service's answer with the connection (${page}).`,
  };
  return new DeliveryError({
    code,
    side: 'identity',
    message: `The token service ${serviceOf(order)} gave no session of ${whoOf(order)}: ${why}.`,
    remedy,
    cause,
  });
}
