/** Hides registered values in every text that leaves the agent. */
export interface SecretMasker {
  /** Registers a value, each of its lines, and the forms in which it may be printed. */
  add(value: string): void;
  /** The text with `***` in place of every registered value. */
  mask(text: string): string;
}

/** Lines of a longer secret that are too short would hide ordinary punctuation all over the log. */
const shortestLine = 4;

function isWellFormed(value: string): boolean {
  return Buffer.from(value, 'utf8').toString('utf8') === value;
}

function encodings(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const base64 = Buffer.from(value, 'utf8').toString('base64');
  const command = value.replaceAll('%', '%AZP25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  // A lone surrogate has no UTF-8 form, and encodeURIComponent throws for it.
  const uri = isWellFormed(value) ? [encodeURIComponent(value)] : [];
  return [value, json, base64, command, value.replaceAll('\\', '\\\\'), ...uri];
}

function linesOf(value: string): string[] {
  const lines = value.split(/\r?\n/);
  return lines.length === 1 ? [] : lines.filter((line) => line.trim().length >= shortestLine);
}

type Range = [start: number, end: number];

function rangesOf(text: string, values: Iterable<string>): Range[] {
  const ranges: Range[] = [];
  for (const value of values)
    for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1))
      ranges.push([at, at + value.length]);
  return ranges.sort((a, b) => a[0] - b[0]);
}

/**
 * A masker that knows no secret yet. Overlapping and touching values become one `***`, as the agent prints them.
 * Source: azure-pipelines-agent, Worker.InitializeSecretMasker and the value encoders of HostContext.
 */
export function createMasker(): SecretMasker {
  const values = new Set<string>();
  return {
    add(value) {
      if (value.trim() === '') return;
      for (const form of [value, ...linesOf(value)].flatMap(encodings)) values.add(form);
    },
    mask(text) {
      let masked = '';
      let copied = 0;
      for (const [start, end] of rangesOf(text, values)) {
        if (end <= copied) continue;
        if (start >= copied && (start > copied || masked === '')) masked += `${text.slice(copied, start)}***`;
        copied = end;
      }
      return masked + text.slice(copied);
    },
  };
}
