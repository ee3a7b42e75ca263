import type { PipelineOptions } from '../options.ts';
import type { SecretMasker } from '../secrets.ts';
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
export function createPrinter(
  options: PipelineOptions,
  environment: NodeJS.ProcessEnv,
  masker: SecretMasker,
): Printer {
  if (options.printer !== undefined) return options.printer;
  if (options.screen === false) return silent;
  const screen = options.screen ?? process.stdout;
  const colours = options.colours ?? (screen.isTTY === true && !environment['NO_COLOR']);
  const masked = {
    write: (text: string) => screen.write(masker.mask(text)),
    isTTY: screen.isTTY,
    columns: screen.columns,
  };
  return consolePrinter({ screen: masked, colours });
}
