/** A URL fit for a log: no user information, and no value of a query parameter (signatures travel there). */
export function redactUrl(url: string | URL): string {
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  for (const name of new Set(parsed.searchParams.keys())) parsed.searchParams.set(name, '…');
  return decodeURI(parsed.toString());
}
