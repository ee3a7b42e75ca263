/**
 * A command line as its arguments: words, with single or double quotes around those that hold spaces; a JSON array
 * of strings is taken as it is. No shell ever reads it, in the image or here.
 */
export function splitCommand(text: string): readonly string[] {
  if (text.startsWith('[')) {
    try {
      const value: unknown = JSON.parse(text);
      if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value;
    } catch {
      // A command that begins with a bracket; it is read as words.
    }
  }
  const words = text.matchAll(/(?:[^\s"']+|"(?:[^"\\]|\\.)*"|'[^']*')+/g);
  return [...words].map(([word]) =>
    word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_, double?: string, single?: string) =>
      double === undefined ? (single ?? '') : double.replace(/\\(["\\])/g, '$1'),
    ),
  );
}
