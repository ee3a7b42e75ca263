import type { LocalContext } from '../local/lib/context.ts';
import {
  type Absence,
  type Metric,
  type Report,
  type Results,
  type Sample,
  summarise,
  table,
} from './report.ts';

/** Someone who does the job that is measured. */
export interface Contestant {
  readonly name: string;
  /** Does the job once; only what the sample says is counted, not the preparation around it. */
  readonly run: (round: number) => Promise<Sample>;
}

export interface Contest {
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** The first one that takes part is the reference of the ratios. */
  readonly contestants: readonly Contestant[];
  readonly rounds: number;
}

/** A contest's results, and who did not take part. */
export interface Outcome extends Results {
  readonly absent: readonly Absence[];
}

function firstLines(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n').slice(0, 6).join(' / ').slice(0, 500);
}

/** In each round everyone runs once, the order turned by one from round to round; who fails is out, with the reason. */
export async function hold(context: LocalContext, contest: Contest): Promise<Outcome> {
  const { title, metrics, contestants, rounds } = contest;
  const samples = new Map(contestants.map(({ name }) => [name, [] as Sample[]]));
  const absent: Absence[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % contestants.length;
    for (const { name, run } of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
      if (!samples.has(name)) continue;
      try {
        const sample = await run(round);
        samples.get(name)?.push(sample);
        context.say(`  ${title}, round ${round + 1}: ${name} ${JSON.stringify(sample)}`);
      } catch (error) {
        samples.delete(name);
        absent.push({ contest: title, name, reason: firstLines(error) });
        context.say(`  ${title}: ${name} does not take part: ${firstLines(error)}`);
      }
    }
  }
  const [reference = ''] = samples.keys();
  return { contest: title, reference, metrics, samples, absent };
}

/** All outcomes as one text. */
export function textOf(outcomes: readonly Outcome[]): string {
  return outcomes
    .flatMap((outcome) => [
      table(outcome),
      ...outcome.absent.map(({ name, reason }) => `- ${name} did not run: ${reason}`),
    ])
    .join('\n\n');
}

/** All outcomes as a report. */
export function reportOf(outcomes: readonly Outcome[]): Report {
  return {
    text: textOf(outcomes),
    figures: outcomes.flatMap(summarise),
    absent: outcomes.flatMap(({ absent }) => absent),
  };
}
