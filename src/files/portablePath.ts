/** Names that Windows gives to devices, whatever their extension. https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
const deviceName = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\.|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const controlCharacter = /[\u0000-\u001f\u007f]/;
const windowsForbidden = /[<>:"|?*\\]/;

/** Longest part of a path in UTF-8 bytes that every file system takes, with room for `.partial`. */
const longestPart = 240;

function partProblem(part: string): string | undefined {
  if (part === '') return 'has an empty part';
  if (part === '.' || part === '..') return `has the part '${part}', which would leave the folder`;
  if (deviceName.test(part)) return `has the part '${part}', a device name on Windows`;
  if (/[. ]$/.test(part)) return `has the part '${part}', which ends with a dot or a space`;
  if (Buffer.byteLength(part) > longestPart) return `has a part of more than ${longestPart} bytes`;
  return undefined;
}

/**
 * Why a relative path from outside (with `/`) must not become a file below a folder on every agent's system:
 * it would leave the folder, or Windows or macOS would make another file of it. Undefined when it is safe.
 */
export function pathProblem(path: string): string | undefined {
  if (controlCharacter.test(path)) return 'has a control character';
  if (windowsForbidden.test(path)) return 'has one of the characters < > : " | ? * \\';
  if (/\p{Surrogate}/u.test(path)) return 'is not valid Unicode';
  for (const part of path.split('/')) {
    const problem = partProblem(part);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The same for all paths that some file system takes for one. */
function folded(path: string): string {
  return path.normalize('NFC').toLowerCase();
}

/** Two paths of which one cannot exist beside the other: same but for case, or one a folder of the other. */
export function pathCollision(paths: readonly string[]): readonly [string, string] | undefined {
  const files = new Map<string, string>();
  for (const path of paths) {
    const other = files.get(folded(path));
    if (other !== undefined) return [other, path];
    files.set(folded(path), path);
  }
  for (const path of paths) {
    const parts = folded(path).split('/');
    for (let count = 1; count < parts.length; count += 1) {
      const file = files.get(parts.slice(0, count).join('/'));
      if (file !== undefined) return [file, path];
    }
  }
  return undefined;
}
