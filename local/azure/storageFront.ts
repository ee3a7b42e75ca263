import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as forward } from 'node:https';
import { audiences, type LocalIdentity } from '../identity/index.ts';
import type { TokenProblem } from '../identity/keys.ts';
import { type RunningServer, startServer } from '../identity/server.ts';

/** Settings of a storage account, to be changed while it runs. */
export interface StorageSettings {
  /** Object ids with the role Storage Blob Data Reader or one above it. */
  readers: readonly string[];
  /** The tenant that the account trusts. */
  tenantId: string;
  breakNext?: Break | undefined;
}

/** The next read of a blob stops after so many bytes, waits, and breaks. */
export interface Break {
  readonly afterBytes: number;
  readonly waitMs: number;
  readonly onBreak?: () => void;
}

/** What Azurite does not check: a token's signature and tenant, and the identity's role. */
export interface StorageFront extends RunningServer {
  readonly settings: StorageSettings;
  /** The bearer tokens of the reads of blobs that were admitted, in their order. */
  readonly reads: readonly string[];
  /** Codes of the refusals, in their order. */
  readonly refused: readonly string[];
}

/** A refusal in the service's own terms. https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes */
interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
}

const failed =
  'Server failed to authenticate the request. Please refer to the information in the www-authenticate header.';

const byProblem: Readonly<Record<TokenProblem, string>> = {
  missing: 'No bearer token was given.',
  signature: 'IDX10511: Signature validation failed.',
  expired: 'IDX10223: Lifetime validation failed. The token is expired.',
  audience: 'IDX10214: Audience validation failed.',
};

function unauthenticated(detail: string): Refusal {
  return { status: 401, code: 'InvalidAuthenticationInfo', message: failed, detail };
}

async function refusalOf(
  local: LocalIdentity,
  settings: StorageSettings,
  authorization: string | undefined,
): Promise<Refusal | undefined> {
  const verified = await local.entra.verify(authorization, [audiences.storage]);
  if ('problem' in verified) return unauthenticated(byProblem[verified.problem]);
  const { tid, oid } = verified.claims;
  if (tid !== settings.tenantId) return unauthenticated('Issuer validation failed. Issuer did not match.');
  if (settings.readers.includes(String(oid))) return undefined;
  const message = 'This request is not authorized to perform this operation using this permission.';
  return { status: 403, code: 'AuthorizationPermissionMismatch', message };
}

function refuse(response: ServerResponse, { status, code, message, detail }: Refusal): void {
  const more = detail === undefined ? '' : `<AuthenticationErrorDetail>${detail}</AuthenticationErrorDetail>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'x-ms-error-code': code });
  response.end(
    `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`,
  );
}

/** Passes the first bytes on, and breaks the connection after a while. */
async function passBroken(
  answer: IncomingMessage,
  response: ServerResponse,
  { afterBytes, waitMs, onBreak }: Break,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  response.write(Buffer.concat(parts).subarray(0, afterBytes));
  setTimeout(() => {
    onBreak?.();
    response.destroy();
  }, waitMs);
}

/** An HTTPS server that checks what Azurite does not, and passes the rest on to `backend`. */
export async function startStorageFront(
  local: LocalIdentity,
  backend: string,
  settings: StorageSettings,
): Promise<StorageFront> {
  const reads: string[] = [];
  const refused: string[] = [];
  const ca = local.authority.certificate;

  const pass = (request: IncomingMessage, response: ServerResponse): void => {
    const isRead = request.method === 'GET' && request.headers['if-match'] !== undefined;
    const broken = isRead ? settings.breakNext : undefined;
    if (isRead) {
      settings.breakNext = undefined;
      reads.push(request.headers.authorization?.slice('Bearer '.length) ?? '');
    }
    // Azurite reads the account from the name that was asked for, which its certificate does not have.
    const checkServerIdentity = () => undefined;
    const options = { method: request.method, headers: request.headers, ca, checkServerIdentity };
    const onward = forward(new URL(request.url ?? '/', backend), options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (broken === undefined) answer.pipe(response);
      else void passBroken(answer, response, broken);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refusal = await refusalOf(local, settings, request.headers.authorization);
    if (refusal === undefined) return pass(request, response);
    refused.push(refusal.code);
    request.resume();
    refuse(response, refusal);
  };

  const server = await startServer(
    async () => ({ status: 404, json: {} }),
    await local.authority.issue(),
    (request, response) => {
      serve(request, response).catch(() => response.destroy());
      return true;
    },
  );
  return { ...server, settings, reads, refused };
}
