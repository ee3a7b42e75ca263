/**
 * The reason of a refusal without the values that the API server quotes in it: whole structs of many lines, and of a
 * Secret (`isSecret`) anything, since a manifest's value is masked nowhere.
 */
export function withoutValues(message: string, isSecret: boolean): string {
  const plain = message
    .replace(/got &value\.valueUnstructured\{.*\}/gs, 'got another type')
    .replace(/(Invalid value: )\{.*\}: /gs, '$1');
  if (!isSecret) return plain;
  return plain.replace(/((?:Invalid|Unsupported|Duplicate) value: )"(?:[^"\\]|\\.)*"/g, '$1(hidden)');
}
