import { writeFile } from 'node:fs/promises';
import { createContext, type LocalContext } from '../lib/context.ts';
import { stopServices } from '../services/index.ts';
import type { RoundAccount } from './account.ts';
import { publishedModels, publishModel } from './models.ts';
import { type DemoOptions, parseDemoOptions, usage } from './options.ts';
import { printAct, printRound } from './print.ts';
import { runRound } from './round.ts';
import { setTheStage } from './stage.ts';

/** What `--json` writes: the first trip, and the one after another model was published. */
interface DemoAccount extends RoundAccount {
  readonly afterAnotherModel?: RoundAccount;
}

async function play(context: LocalContext, signal: AbortSignal): Promise<DemoAccount> {
  const setting = await setTheStage(context, signal);
  signal.throwIfAborted();
  const { say } = context;
  const [first, second] = publishedModels;
  const isNew = await publishModel(context, setting.storage, first);
  printAct(
    say,
    isNew
      ? `The data scientist publishes model ${first.version}; a commit, and the night`
      : 'A commit, and the night',
  );
  const round = await runRound(setting);
  printRound(say, round);
  if (!(await publishModel(context, setting.storage, second))) return round;
  printAct(say, `The data scientist publishes model ${second.version}; the application stays as it is`);
  const after = await runRound(setting);
  printRound(say, after);
  return { ...round, afterAnotherModel: after };
}

function isRight(account: DemoAccount): boolean {
  return account.prediction.right && (account.afterAnotherModel?.prediction.right ?? true);
}

async function playAndTell(
  context: LocalContext,
  options: DemoOptions,
  signal: AbortSignal,
): Promise<number> {
  // An account of an earlier run must not be taken for this one's; a file that cannot be written is told now.
  if (options.jsonFile !== undefined) await writeFile(options.jsonFile, '{}\n');
  const account = await play(context, signal);
  if (options.jsonFile !== undefined) {
    await writeFile(options.jsonFile, `${JSON.stringify(account, undefined, 2)}\n`);
    context.say(`\nThe whole account: ${options.jsonFile}`);
  }
  if (!isRight(account)) console.error('\nA prediction is not the known one for its model.');
  return isRight(account) ? 0 : 1;
}

/** Aborted by the first Ctrl+C; the further ones change nothing, since stopping must come to its end. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => controller.abort(new Error('The demo was interrupted.')));
  }
  return controller.signal;
}

async function finish(context: LocalContext, keep: boolean): Promise<void> {
  if (keep) {
    context.say('\nWhat was started is still up. To end it: npm run services -- stop');
    return;
  }
  context.say('\nStopping the local services …');
  await stopServices(context);
}

/** `npm run demo`: the article's pipeline on this machine, through the packaged extension. */
export async function demoCommand(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    console.log(usage);
    return 0;
  }
  const options = parseDemoOptions(args);
  const context = await createContext();
  const signal = interruption();
  try {
    return await playAndTell(context, options, signal);
  } finally {
    await finish(context, options.keep);
  }
}
