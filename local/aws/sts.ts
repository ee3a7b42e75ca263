import { randomUUID } from 'node:crypto';
import type { ServerCertificate } from '../identity/authority.ts';
import { type Answer, type Asked, type RunningServer, startServer } from '../identity/server.ts';
import { type Account, newSession, type Role, type Session, type User } from './account.ts';
import { allows, type Question } from './policy.ts';
import { AwsRefusal, escaped } from './refusal.ts';
import { ageOf, isSigned, parseAuthorization, sha256 } from './signature.ts';
import { verifyWebIdentity } from './webIdentity.ts';

/** The Security Token Service, in this process, over HTTPS. */
export interface Sts extends RunningServer {
  /** Life of the sessions given from now on, in seconds, whatever was asked for; undefined: what was asked for. */
  lifeSeconds: number | undefined;
  /** The next requests are answered so, and then it is over: for throttling and outages. */
  failNext(count: number, status: number): void;
  /** How far the service's clock is ahead of this machine's, in milliseconds. */
  clockMs: number;
  /** How each request named its client. */
  readonly userAgents: readonly string[];
  /** The region is switched off in the account. */
  regionDisabled: boolean;
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

function xmlAnswer(status: number, xml: string): Answer {
  return { status, xml, headers: { 'x-amzn-requestid': randomUUID() } };
}

function refusalAnswer({ status, code, message }: AwsRefusal): Answer {
  return xmlAnswer(
    status,
    `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${escaped(message)}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  );
}

function sessionAnswer(
  action: string,
  session: Session,
  expires: number,
  more: Readonly<Record<string, string>>,
): Answer {
  const { accessKeyId, secretAccessKey, sessionToken, arn, name } = session;
  const extra = Object.entries(more).map(([tag, value]) => `<${tag}>${escaped(value)}</${tag}>`);
  return xmlAnswer(
    200,
    `<${action}Response xmlns="${namespace}"><${action}Result><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken><Expiration>${new Date(expires).toISOString()}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:${escaped(name)}</AssumedRoleId><Arn>${escaped(arn)}</Arn></AssumedRoleUser>${extra.join('')}</${action}Result><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`,
  );
}

/** The user whose key signed the request, a session of the account among them. */
function signer(account: Account, request: Asked, region: string, clockMs: number): User {
  const { headers, method, url, text } = request;
  const authorization = parseAuthorization(headers['authorization']);
  if (authorization === undefined) {
    throw new AwsRefusal('MissingAuthenticationToken', 'Request is missing Authentication Token');
  }
  const user = account.users.find((one) => one.accessKeyId === authorization.accessKeyId);
  if (user === undefined) {
    throw new AwsRefusal('InvalidClientTokenId', 'The security token included in the request is invalid.');
  }
  if (authorization.service !== 'sts' || authorization.region !== region) {
    throw new AwsRefusal('SignatureDoesNotMatch', `Credential should be scoped to a valid region.`);
  }
  if (Math.abs(ageOf(request) + clockMs) > 5 * 60_000) {
    throw new AwsRefusal('SignatureDoesNotMatch', 'Signature expired: the request is not current (5 min.)');
  }
  const target = `${url.pathname}${url.search}`;
  if (isSigned({ method, target, headers, payload: sha256(text) }, authorization, user.secretAccessKey))
    return user;
  throw new AwsRefusal(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}

/** The role, if its trust policy admits who asks. AWS says the same of a role that is not there. */
function trustedRole(account: Account, who: string, arn: string, question: Question): Role {
  const role = account.roles.find((one) => one.arn === arn);
  if (role !== undefined && allows(role.trust, question)) return role;
  const message = question.principal?.Federated
    ? `Not authorized to perform ${question.action}`
    : `User: ${who} is not authorized to perform: ${question.action} on resource: ${arn}`;
  throw new AwsRefusal('AccessDenied', message);
}

function durationOf(form: URLSearchParams, role: Role): number {
  const seconds = Number(form.get('DurationSeconds') ?? 3600);
  if (seconds < 900) {
    throw new AwsRefusal(
      'ValidationError',
      `1 validation error detected: Value '${seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900`,
      400,
    );
  }
  if (seconds <= role.maxSessionSeconds) return seconds;
  throw new AwsRefusal(
    'ValidationError',
    'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    400,
  );
}

type Granted = { readonly role: Role; readonly more: Readonly<Record<string, string>> };

async function byToken(account: Account, form: URLSearchParams): Promise<Granted> {
  const who = await verifyWebIdentity(account, form.get('WebIdentityToken') ?? '');
  const { principal, context, provider, subject, audience } = who;
  const question = { action: 'sts:AssumeRoleWithWebIdentity', principal, context };
  const role = trustedRole(account, subject, form.get('RoleArn') ?? '', question);
  return { role, more: { Provider: provider, SubjectFromWebIdentityToken: subject, Audience: audience } };
}

function byKeys(account: Account, request: Asked, region: string, clockMs: number): Granted {
  const user = signer(account, request, region, clockMs);
  const { form } = request;
  const context = { 'sts:ExternalId': form.get('ExternalId') ?? undefined };
  const question = { action: 'sts:AssumeRole', principal: { AWS: user.arn }, context };
  return { role: trustedRole(account, user.arn, form.get('RoleArn') ?? '', question), more: {} };
}

/**
 * Answers AssumeRole and AssumeRoleWithWebIdentity as AWS's regional service does, for the account's users, roles and
 * providers, and refuses the rest. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export async function startSts(
  account: Account,
  region: string,
  certificate: ServerCertificate,
): Promise<Sts> {
  let failures = { count: 0, status: 503 };

  const grant = async (request: Asked): Promise<Answer> => {
    const { form, method, url } = request;
    const action = form.get('Action') ?? '';
    if (method !== 'POST' || url.pathname !== '/' || form.get('Version') !== '2011-06-15') {
      throw new AwsRefusal('InvalidAction', `Could not find operation ${action}`, 400);
    }
    if (sts.regionDisabled) {
      throw new AwsRefusal(
        'RegionDisabledException',
        `STS is not activated in this region for account:${account.id}. Your account administrator can activate STS in this region using the IAM Console.`,
      );
    }
    if (action !== 'AssumeRole' && action !== 'AssumeRoleWithWebIdentity') {
      throw new AwsRefusal('InvalidAction', `Could not find operation ${action}`, 400);
    }
    const { role, more } =
      action === 'AssumeRole' ? byKeys(account, request, region, sts.clockMs) : await byToken(account, form);
    const seconds = durationOf(form, role);
    const name = form.get('RoleSessionName') ?? '';
    const session = newSession(account, role, name, sts.lifeSeconds ?? seconds);
    return sessionAnswer(action, session, session.expires + sts.clockMs, more);
  };

  const outcome = async (request: Asked): Promise<Answer> => {
    if (failures.count > 0) {
      failures = { ...failures, count: failures.count - 1 };
      return refusalAnswer(new AwsRefusal('ServiceUnavailable', 'Service is unavailable', failures.status));
    }
    return await grant(request).catch((error: unknown) => {
      if (error instanceof AwsRefusal) return refusalAnswer(error);
      throw error;
    });
  };

  const userAgents: string[] = [];
  const answer = async (request: Asked): Promise<Answer> => {
    userAgents.push(request.headers['user-agent'] ?? '');
    const made = await outcome(request);
    const date = new Date(Date.now() + sts.clockMs).toUTCString();
    return { ...made, headers: { ...made.headers, date } };
  };

  const server = await startServer(answer, certificate);
  const sts: Sts = {
    ...server,
    lifeSeconds: undefined,
    clockMs: 0,
    userAgents,
    regionDisabled: false,
    failNext: (count, status) => {
      failures = { count, status };
    },
  };
  return sts;
}
