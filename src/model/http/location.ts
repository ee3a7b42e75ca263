import { DeliveryError } from '../../errors.ts';

/** What a server lets a reader in with; RFC 7617. */
export interface HttpCredentials {
  readonly username: string;
  readonly password: string;
}

/** The value of the header Authorization for a user and a password; RFC 7617. */
export function basicAuthorization({ username, password }: HttpCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** A model on a web server. */
export interface HttpLocation {
  /** Address of one file, or of an index document; its query may be a signature. */
  readonly url: string;
  /** Name of the model where the address itself does not say one. */
  readonly model: string;
  /** Sent to the address's own origin alone. */
  readonly credentials?: HttpCredentials;
}

function invalid(problem: string, remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message: `Input 'url' ${problem}.`,
    remedy,
  });
}

/** The address as the user wrote it, checked. It is never shown: signatures travel in queries. */
export function checkedUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalid('is not an http(s) URL', 'Write for example https://models.example.com/credit/index.json.');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'carries a user name or password',
      "Put them into a generic service connection and name it in 'httpConnection'.",
    );
  }
  url.hash = '';
  return url.toString();
}

/** The address without its query, for logs and locks. */
export function publicUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
