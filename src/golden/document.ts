import { parse } from 'yaml';
import { DeliveryError } from '../errors.ts';

/** A JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error for a golden file that cannot be used; `problem` ends its sentence. */
export function invalid(file: string, problem: string, cause?: unknown): DeliveryError {
  return new DeliveryError({
    code: 'GOLDEN_FILE_INVALID',
    side: 'input',
    message: `The file of golden predictions '${file}' cannot be used: ${problem}.`,
    remedy: "See docs/deploy-to-aks.md, 'Golden predictions', for its form.",
    cause,
  });
}

/** JSON by its first character, else YAML 1.2; the parser's error names the line. */
function parseDocument(text: string): unknown {
  return /^\s*[{[]/.test(text) ? (JSON.parse(text) as unknown) : (parse(text) as unknown);
}

/** What a golden file's text says. Throws GOLDEN_FILE_INVALID. */
export function readDocument(file: string, text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = parseDocument(text);
  } catch (cause) {
    throw invalid(file, 'it is neither JSON nor YAML', cause);
  }
  if (!isRecord(document)) throw invalid(file, 'it is no object with cases');
  return document;
}
