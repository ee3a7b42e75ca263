import { createHmac } from 'node:crypto';
import type { IssuedToken } from '../../azure/signIn.ts';
import { ownHeaders } from '../../http/ownRequest.ts';
import type { DirectRead, PinnedFile, ReadOptions } from '../store.ts';
import type { AzureBlobCredential } from './location.ts';

/** Known to every service and emulator that has conditions, ranges and tokens. */
const serviceVersion = '2021-12-02';
/** https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory */
const scope = 'https://storage.azure.com/.default';
/** A token is not used so shortly before its end, in milliseconds: clocks differ. */
const tokenMarginMs = 5 * 60_000;

type Headers = Readonly<Record<string, string>>;

/** Header form of an ETag: listings of this service leave the quotation marks out. */
export function quoted(etag: string): string {
  return etag.startsWith('"') || etag.startsWith('W/') ? etag : `"${etag}"`;
}

/** https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
function sharedKey(account: string, key: string, url: URL, headers: Headers): string {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-ms-'));
  const listed = own.map(([name, value]) => `${name}:${value}\n`).sort();
  // Between the method and the service's headers: encoding to If-Modified-Since, If-Match, and three more to Range.
  const standard = [...Array<string>(7).fill(''), headers['if-match'] ?? '', '', '', ''];
  const query = [...url.searchParams].map(([name, value]) => `\n${name.toLowerCase()}:${value}`).sort();
  const text = `GET\n${standard.join('\n')}\n${listed.join('')}/${account}${url.pathname}${query.join('')}`;
  return `SharedKey ${account}:${createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')}`;
}

/** Says by which GET a part of a blob is had; the address names the version or snapshot, and has the SAS. */
export function createDirectRequests(credential: AzureBlobCredential) {
  let token: IssuedToken | undefined;
  const authorization = async (url: URL, headers: Headers): Promise<Headers> => {
    if (credential.kind === 'accountKey') {
      return { authorization: sharedKey(credential.account, credential.key, url, headers) };
    }
    if (credential.kind !== 'identity') return {};
    if (token === undefined || token.expiresOnTimestamp - Date.now() < tokenMarginMs) {
      token = await credential.identity.getToken(scope);
    }
    return { authorization: `Bearer ${token.token}` };
  };
  return async (address: string, file: PinnedFile, part: Required<ReadOptions>): Promise<DirectRead> => {
    const url = new URL(address);
    const etag = quoted(file.etag);
    const partly = part.length < file.size;
    const headers = {
      ...ownHeaders('azure'),
      'if-match': etag,
      'x-ms-date': new Date().toUTCString(),
      'x-ms-version': serviceVersion,
      ...(partly && { 'x-ms-range': `bytes=${part.offset}-${part.offset + part.length - 1}` }),
    };
    return { url: url.href, headers: { ...headers, ...(await authorization(url, headers)) }, etag };
  };
}
