import { execFile } from 'node:child_process';
import { DeliveryError } from '../../src/errors.ts';

/** What a command gets beside its arguments. */
export interface CommandOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end and gives its standard output; fails with `COMMAND_FAILED` and what it said. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const { input = '', env = process.env } = options;
    const child = execFile(command, args, { env, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.trim() || error.message;
      reject(
        new DeliveryError({
          code: 'COMMAND_FAILED',
          side: 'agent',
          message: `${command} ${args.join(' ')} failed: ${said}`,
          remedy: 'Check that the command is installed and works by itself, then run this again.',
          cause: error,
        }),
      );
    });
    // A command that ended before it read its input is reported by its status, not by the broken pipe.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
