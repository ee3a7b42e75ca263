import type { PipelineOptions } from '../options.ts';
import { consolePrinter } from './console.ts';
import type { Printer } from './printer.ts';

const silent: Printer = {
  start: () => undefined,
  stage: () => undefined,
  job: () => undefined,
  skipped: () => undefined,
  step: () => undefined,
  line: () => undefined,
  progress: () => undefined,
  stepEnd: () => undefined,
  end: () => undefined,
};

/** The printer that the options ask for. */
export function createPrinter(options: PipelineOptions, environment: NodeJS.ProcessEnv): Printer {
  if (options.printer !== undefined) return options.printer;
  if (options.screen === false) return silent;
  const screen = options.screen ?? process.stdout;
  const colours = options.colours ?? (screen.isTTY === true && !environment['NO_COLOR']);
  return consolePrinter({ screen, colours });
}
