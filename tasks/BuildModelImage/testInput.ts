import { required } from '../../src/host/inputs.ts';
import { readPort } from './checks.ts';
import type { Raw } from './fields.ts';

/** The test before the image gets its tags. */
export interface TestInput {
  readonly file: string;
  readonly port: number;
  readonly timeoutSeconds: number;
}

/** Reads the inputs about the test. Throws INPUT_MISSING and INPUT_INVALID. */
export function readTest(raw: Raw): { test?: TestInput } {
  if (raw.testFile === undefined) return {};
  const { port } = { ...readPort('port', raw.port), ...readPort('testPort', raw.testPort) };
  const needed = required(port, 'testPort', "by 'testFile' when there is no 'port'");
  return { test: { file: raw.testFile, port: needed, timeoutSeconds: raw.testTimeout } };
}
