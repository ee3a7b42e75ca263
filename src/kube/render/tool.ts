import { spawn } from 'node:child_process';
import { DeliveryError } from '../../errors.ts';

/** What a rendering tool runs with. */
export interface ToolSettings {
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  readonly signal: AbortSignal;
}

export interface ToolCall {
  /** Names of programs of which the first that is there is taken, each with its arguments. */
  readonly commands: readonly (readonly [program: string, ...args: string[]])[];
  readonly input?: string;
  /** What is rendered, as the log shows it. */
  readonly what: string;
}

const mostBytes = 64 * 1024 * 1024;
const shownCharacters = 2000;

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs one program without a shell; undefined when there is none of that name. */
function run(
  [program, ...args]: ToolCall['commands'][number],
  input: string,
  settings: ToolSettings,
): Promise<Ended | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: settings.environment,
      signal: settings.signal,
      windowsHide: true,
    });
    const parts: Buffer[] = [];
    let size = 0;
    let errors = '';
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= mostBytes) parts.push(part);
      else child.kill();
    });
    child.stderr.on('data', (part: Buffer) => {
      errors = (errors + part.toString('utf8')).slice(-shownCharacters);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
    child.once('close', (code) => {
      if (size > mostBytes) errors = `It writes more than ${mostBytes} bytes.`;
      resolve({ code, output: Buffer.concat(parts).toString('utf8'), errors });
    });
    // A tool that ends before it has read everything says why by itself.
    child.stdin.on('error', () => undefined).end(input);
  });
}

function missing({ commands, what }: ToolCall): DeliveryError {
  const names = commands.map(([program]) => program).join(' or ');
  return new DeliveryError({
    code: 'RENDER_TOOL_MISSING',
    side: 'agent',
    message: `'${what}' has to be rendered by ${names}, and the agent has none on its PATH.`,
    remedy: `Install it in a step before this one, or render in a step of your own and name the result in 'manifests'.`,
  });
}

/** What the first tool that is there prints. Throws RENDER_TOOL_MISSING, or RENDER_FAILED with the tool's message. */
export async function renderBy(call: ToolCall, settings: ToolSettings): Promise<string> {
  for (const command of call.commands) {
    const ended = await run(command, call.input ?? '', settings).catch((error: unknown) => {
      settings.signal.throwIfAborted();
      throw error;
    });
    if (ended === undefined) continue;
    if (ended.code === 0) return ended.output;
    throw new DeliveryError({
      code: 'RENDER_FAILED',
      side: 'input',
      message: `${command[0]} cannot render '${call.what}': ${ended.errors.trim() || `it ended with ${ended.code}`}`,
      remedy: 'Correct the files, or the inputs that go into them, as the tool says.',
    });
  }
  throw missing(call);
}
