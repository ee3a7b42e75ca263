import { DeliveryError } from '../errors.ts';
import type { ServiceConnection } from '../host/host.ts';
import { invalidInput } from '../host/inputs.ts';
import { basicAuthorization } from './http/location.ts';

/** A server of models with an API of its own, and what lets a reader in there. */
export interface ModelServer {
  /** Its address, without slash at the end. */
  readonly url: string;
  /** The value of the header Authorization. */
  readonly authorization?: string;
}

/** The address of a server as the user wrote it, checked; never shown, since it may carry what it must not. */
export function checkedServer(value: string, input: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidInput(input, 'is not an http(s) URL', 'Write for example https://mlflow.example.com.');
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw invalidInput(
      input,
      'carries a query or a user name',
      'Write the URL alone; user name, password and token belong into the service connection.',
    );
  }
  return url.href.replace(/\/+$/, '');
}

/**
 * What a generic service connection lets in with: user name and password (Basic, RFC 7617), or a token alone
 * (Bearer, RFC 6750). Throws INPUT_INVALID.
 */
export function serverAuthorization(connection: ServiceConnection, input: string): string {
  const { username, password } = connection.parameters;
  if (!password) {
    throw new DeliveryError({
      code: 'INPUT_INVALID',
      side: 'input',
      message: `Service connection '${connection.id}' of input '${input}' has neither a password nor a token.`,
      remedy: `Put the token into its field 'Password/Token Key', or leave '${input}' empty for an open server.`,
    });
  }
  return username ? basicAuthorization({ username, password }) : `Bearer ${password}`;
}

/** The server that a connection, an address or both name; both must name the same one. Throws INPUT_INVALID. */
export function modelServer(
  connection: ServiceConnection | undefined,
  address: string | undefined,
  inputs: { readonly connection: string; readonly address: string },
): ModelServer | undefined {
  const named = address === undefined ? undefined : checkedServer(address, inputs.address);
  if (connection === undefined) return named === undefined ? undefined : { url: named };
  const own = checkedServer(connection.url, inputs.connection);
  if (named !== undefined && new URL(named).origin !== new URL(own).origin) {
    throw invalidInput(
      inputs.address,
      `is at ${new URL(named).origin}, but the service connection is for ${new URL(own).origin}`,
      `Choose the connection of that server, or leave '${inputs.address}' empty.`,
    );
  }
  return { url: named ?? own, authorization: serverAuthorization(connection, inputs.connection) };
}
