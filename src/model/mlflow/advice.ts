import type { HttpAdvice } from '../http/client.ts';
import type { ModelServer } from '../server.ts';

/** What to do about a tracking server's refusals. */
export function mlflowAdvice({ authorization }: ModelServer): HttpAdvice {
  return {
    input: 'modelServer',
    missing: "Check 'modelServer', with its path prefix: it is the address of the tracking server.",
    refused:
      authorization === undefined
        ? "Name a generic service connection in 'modelServerConnection': user name and password, or a token as password alone."
        : "Check user name and password (or the token) of the service connection in 'modelServerConnection'; the user needs the permission READ on the registered model and on the experiment that its files belong to.",
  };
}
