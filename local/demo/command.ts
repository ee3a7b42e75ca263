import { writeFile } from 'node:fs/promises';
import { createContext, type LocalContext } from '../lib/context.ts';
import { stopServices } from '../services/index.ts';
import type { RoundAccount } from './account.ts';
import { publishedModels, publishModel } from './models.ts';
import { type DemoOptions, parseDemoOptions } from './options.ts';
import { printAct, printRound } from './print.ts';
import { runRound } from './round.ts';
import { setTheStage } from './stage.ts';

/** What `--json` writes: the first trip, and the one after another model was published. */
interface DemoAccount extends RoundAccount {
  readonly afterAnotherModel?: RoundAccount;
}

async function play(context: LocalContext, signal: AbortSignal): Promise<DemoAccount> {
  const setting = await setTheStage(context, signal);
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
  const account = await play(context, signal);
  if (options.jsonFile !== undefined) {
    await writeFile(options.jsonFile, `${JSON.stringify(account, undefined, 2)}\n`);
    context.say(`\nThe whole account: ${options.jsonFile}`);
  }
  if (!isRight(account)) console.error('\nA prediction is not the known one for its model.');
  return isRight(account) ? 0 : 1;
}

/** `npm run demo`: the article's pipeline on this machine, through the packaged extension. */
export async function demoCommand(args: string[]): Promise<number> {
  const options = parseDemoOptions(args);
  const context = await createContext();
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error('The demo was interrupted.')));
  }
  try {
    return await playAndTell(context, options, controller.signal);
  } finally {
    if (options.keep) context.say('\nEverything is still up. To end it: npm run services -- stop');
    else {
      context.say('\nStopping the local services …');
      await stopServices(context);
    }
  }
}
