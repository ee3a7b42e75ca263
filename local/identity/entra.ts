import { randomUUID } from 'node:crypto';
import type { JWK, JWTPayload } from 'jose';
import { issuerOf } from '../cluster/entra.ts';
import type { ServerCertificate } from './authority.ts';
import {
  type Application,
  applicationOf,
  type Directory,
  EntraRefusal,
  type Tenant,
  tenantOf,
} from './directory.ts';
import { createSigner, type TokenProblem, verifyBearer } from './keys.ts';
import { createProofChecker, type ProofChecker } from './proofs.ts';
import { type Answer, type Asked, type RunningServer, startServer } from './server.ts';

/** A sign-in service that runs in this process, over HTTPS. */
export interface Entra extends RunningServer {
  /** Life of the tokens given from now on, in seconds; negative ones have expired already. */
  lifeSeconds: number;
  /** Its clock is so far ahead of this machine's, in seconds: how an agent whose clock is wrong meets it. */
  clockAheadSeconds: number;
  /** The next token requests are answered so, and then it is over: for throttling and outages. */
  failNext(count: number, status: number, retryAfterSeconds?: number): void;
  /** Token requests that came sooner than the answer before them had asked for. */
  readonly tooEarly: number;
  /** Tokens given so far, a machine's among them. */
  issued(): readonly string[];
  /** Assertions that clients proved themselves by so far. */
  presented(): readonly string[];
  issue(tenantId: string, application: Application, audience: string): Promise<string>;
  /** The claims of a bearer header for one of the audiences, or what is wrong with it. */
  verify(
    header: string | undefined,
    audiences: readonly string[],
  ): Promise<{ claims: JWTPayload } | { problem: TokenProblem }>;
}

/** The client's own id of the request is the service's correlation id. */
function errorAnswer({ number, error, message, status }: EntraRefusal, request: Asked): Answer {
  const trace = randomUUID();
  const correlation = request.form.get('client-request-id') ?? randomUUID();
  const timestamp = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const description = `AADSTS${number}: ${message} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`;
  return {
    status,
    headers: { 'x-ms-request-id': trace },
    json: {
      error,
      error_description: description,
      error_codes: [number],
      timestamp,
      trace_id: trace,
      correlation_id: correlation,
    },
  };
}

function discovery(base: string, tenant: string): Answer {
  return {
    status: 200,
    json: {
      issuer: `${base}/${tenant}/v2.0`,
      token_endpoint: `${base}/${tenant}/oauth2/v2.0/token`,
      authorization_endpoint: `${base}/${tenant}/oauth2/v2.0/authorize`,
      jwks_uri: `${base}/${tenant}/discovery/v2.0/keys`,
      response_types_supported: ['code', 'id_token'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    },
  };
}

function audienceOf(scope: string | null): string {
  if (scope?.endsWith('/.default') && !scope.includes(' ')) return scope.slice(0, -'/.default'.length);
  throw new EntraRefusal(
    1002012,
    'invalid_scope',
    `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  );
}

/** Checks one token request; its application and the audience that it asks for. */
async function admitted(
  request: Asked,
  tenant: Tenant,
  proofs: ProofChecker,
): Promise<{ application: Application; audience: string }> {
  const { form, url } = request;
  if (form.get('grant_type') !== 'client_credentials') {
    throw new EntraRefusal(70003, 'unsupported_grant_type', 'The app requested an unsupported grant type.');
  }
  const application = applicationOf(tenant, form.get('client_id') ?? '');
  await proofs.check(application, form, `${url.origin}${url.pathname}`);
  const audience = audienceOf(form.get('scope'));
  if (tenant.resources.includes(audience.replace(/\/+$/, ''))) return { application, audience };
  throw new EntraRefusal(
    500011,
    'invalid_resource',
    `The resource principal named ${audience} was not found in the tenant named ${tenant.id}.`,
  );
}

function claimsOf(tenantId: string, application: Application, audience: string): JWTPayload {
  return {
    aud: audience,
    iss: issuerOf(tenantId),
    appid: application.clientId,
    oid: application.objectId,
    sub: application.objectId,
    tid: tenantId,
    ...(application.groups === undefined ? {} : { groups: application.groups }),
    idtyp: 'app',
    ver: '1.0',
  };
}

/** A sign-in service that verifies what the real one verifies, and answers a refusal with its numbers. */
export async function startEntra(
  directory: Directory,
  certificate: ServerCertificate,
  key?: JWK,
): Promise<Entra> {
  const signer = await createSigner(key);
  const proofs = createProofChecker(directory, () => new Date(Date.now() + entra.clockAheadSeconds * 1000));
  const issued: string[] = [];
  const presented: string[] = [];
  let failures = { count: 0, status: 503, retryAfterSeconds: 0 };
  let [notBefore, tooEarly] = [0, 0];

  const issue: Entra['issue'] = async (tenantId, application, audience) => {
    const token = await signer.sign(claimsOf(tenantId, application, audience), entra.lifeSeconds);
    issued.push(token);
    return token;
  };

  const token = async (request: Asked, tenantId: string): Promise<Answer> => {
    if (Date.now() < notBefore) tooEarly += 1;
    if (failures.count > 0) {
      const { count, retryAfterSeconds } = failures;
      failures = { ...failures, count: count - 1 };
      notBefore = Date.now() + retryAfterSeconds * 1000;
      const headers = { 'retry-after': `${retryAfterSeconds}` };
      return { status: failures.status, json: { error: 'temporarily_unavailable' }, headers };
    }
    const assertion = request.form.get('client_assertion');
    if (assertion !== null) presented.push(assertion);
    const { application, audience } = await admitted(request, tenantOf(directory, tenantId), proofs);
    const access_token = await issue(tenantId, application, audience);
    const expires_in = Math.max(entra.lifeSeconds, 0);
    return {
      status: 200,
      json: { token_type: 'Bearer', expires_in, ext_expires_in: expires_in, access_token },
    };
  };

  const route = async (request: Asked): Promise<Answer> => {
    const [, tenantId = '', ...rest] = request.url.pathname.split('/');
    const path = `${request.method} ${rest.join('/')}`;
    if (path === 'POST oauth2/v2.0/token') return await token(request, tenantId);
    if (path === 'GET discovery/v2.0/keys') return { status: 200, json: signer.keys };
    if (path === 'GET v2.0/.well-known/openid-configuration') {
      return discovery(request.url.origin, tenantOf(directory, tenantId).id);
    }
    return { status: 404, json: { error: 'not_found', error_description: path } };
  };

  const server = await startServer(async (request) => {
    try {
      return await route(request);
    } catch (error) {
      if (error instanceof EntraRefusal) return errorAnswer(error, request);
      throw error;
    }
  }, certificate);

  const entra: Entra = {
    ...server,
    lifeSeconds: 3600,
    clockAheadSeconds: 0,
    failNext: (count, status, retryAfterSeconds = 0) => {
      failures = { count, status, retryAfterSeconds };
    },
    get tooEarly() {
      return tooEarly;
    },
    issued: () => issued,
    presented: () => presented,
    issue,
    verify: (header, audiences) => verifyBearer(signer, header, audiences),
  };
  return entra;
}
