import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import {
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { stringify } from 'yaml';
import type { LocalIdentity } from '../identity/index.ts';
import { type Exchange, startServer } from '../identity/server.ts';
import type { LocalContext } from '../lib/context.ts';
import { startDaemon, stopDaemon } from '../lib/daemon.ts';
import { freePort } from '../lib/ports.ts';
import { registryBinary } from '../toolchain/registry.ts';
import { type AcrSettings, acrIssuer, createAcrTokenService } from './acrTokens.ts';

const daemon = 'acr-registry';

/** A registry that signs in as Azure's do: distribution's registry behind the token service, one HTTPS address. */
export interface LocalAcr {
  /** Scheme and host of the login server. */
  readonly url: string;
  readonly settings: AcrSettings;
  /** Every request so far: method and path with query. */
  readonly requests: readonly string[];
  /** What its token service was asked and answered. */
  readonly exchanges: readonly Exchange[];
  /** Tokens given so far. */
  issued(): readonly string[];
  /** As whom the registry's own Tasks push; it may do everything. */
  readonly tasksPrincipal: string;
  /** A password of a principal, with a refresh token's user name. */
  passwordOf(objectId: string): Promise<string>;
  close(): Promise<void>;
}

/** Distribution tolerates a minute of clock skew; a token that has ended is taken away, so that it answers 401 at once. */
function withoutEnded({ authorization, ...rest }: IncomingHttpHeaders): IncomingHttpHeaders {
  const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
  const ended = token !== undefined && (decodeJwt(token).exp ?? 0) * 1000 < Date.now();
  return authorization === undefined || ended ? rest : { ...rest, authorization };
}

/** A tag's removal has a path of its own in Azure's registries, which leaves the manifest; distribution's is another. */
function pathOf({ method, url }: IncomingMessage): string | undefined {
  const [, repository, tag] = /^\/acr\/v1\/(.+)\/_tags\/([^/]+)$/.exec(url ?? '') ?? [];
  return method === 'DELETE' && tag !== undefined ? `/v2/${repository}/manifests/${tag}` : url;
}

/** Passes everything but the token service on to the registry, which verifies the tokens. */
function passTo(port: number): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    if (request.url?.startsWith('/oauth2/')) return false;
    const { method, headers } = request;
    const sent = forward(
      {
        host: '127.0.0.1',
        port,
        method,
        path: pathOf(request),
        headers: { ...withoutEnded(headers), 'x-forwarded-proto': 'https' },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    sent.on('error', () => response.destroy());
    request.pipe(sent);
    return true;
  };
}

async function startBackend(
  context: LocalContext,
  port: number,
  loginServer: string,
  keys: unknown,
): Promise<void> {
  const folder = join(context.stateFolder, daemon);
  for (const wanted of [folder, context.logFolder]) await mkdir(wanted, { recursive: true });
  const jwks = join(folder, 'jwks.json');
  await writeFile(jwks, JSON.stringify(keys));
  const configuration = {
    version: 0.1,
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, relativeurls: true },
    auth: {
      token: {
        realm: `${loginServer}/oauth2/token`,
        service: new URL(loginServer).host,
        issuer: acrIssuer,
        jwks,
        signingalgorithms: ['RS256'],
      },
    },
  };
  const file = join(folder, 'config.yml');
  await writeFile(file, stringify(configuration));
  await startDaemon(context, {
    name: daemon,
    command: await registryBinary(context),
    args: ['serve', file],
    env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    ready: async () => (await fetch(`http://127.0.0.1:${port}/v2/`)).status === 401,
  });
}

/**
 * Starts the registry; the pipeline's application may do everything until `settings` say otherwise. With `publicUrl`
 * that is its login server, at which only a proxy finds it.
 */
export async function startAcr(
  context: LocalContext,
  local: LocalIdentity,
  publicUrl?: string,
): Promise<LocalAcr> {
  const settings: AcrSettings = {
    grants: [{ objectId: local.application.objectId, repository: '*', actions: ['pull', 'push', 'delete'] }],
    tasksPrincipal: randomUUID(),
    lifeSeconds: 3600,
    acceptsResourceManager: true,
    acceptsOwnAudience: true,
    abac: false,
    admitsNetwork: true,
  };
  const port = await freePort();
  let loginServer = '';
  const tokens = await createAcrTokenService(local.entra, settings, () => new URL(loginServer).host);
  const names = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  const front = await startServer(tokens.answer, await local.authority.issue(...names), passTo(port));
  loginServer = publicUrl ?? front.url;
  await startBackend(context, port, loginServer, tokens.keys).catch(async (error: unknown) => {
    await front.close();
    throw error;
  });
  return {
    url: front.url,
    settings,
    requests: front.requests,
    exchanges: front.exchanges,
    issued: () => tokens.issued,
    tasksPrincipal: settings.tasksPrincipal,
    passwordOf: tokens.passwordOf,
    close: async () => {
      await front.close();
      await stopDaemon(context, daemon);
    },
  };
}
