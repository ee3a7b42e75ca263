import { percentile, percentileBounds, shareBounds, sorted } from './statistics.ts';

/** One answer, or none, to one golden request. */
export interface Sample {
  readonly name: string;
  /** Milliseconds until the answer was there. */
  readonly ms: number;
  /** `error`: the application did not answer the request; `wrong`: it did, otherwise than expected. */
  readonly verdict: 'right' | 'wrong' | 'error';
  /** What is wrong, in words. */
  readonly problem?: string;
}

/** What the new side must keep to. */
export interface Limits {
  /** Requests that each side must have had. */
  readonly samples: number;
  /** Share of errors, 0 to 1, that is allowed; the stable side's own share is always allowed. */
  readonly errorRate: number;
  /** How many times the stable side's median and 95th percentile are allowed, for example 1.2; undefined: not judged. */
  readonly latencyFactor?: number;
}

export type Outcome = 'pass' | 'fail' | 'inconclusive';

/** A finding with its outcome. */
export interface Finding {
  readonly outcome: Outcome;
  readonly text: string;
}

/** Shadow requests: the same ones, answered by both sides. */
export interface Shadow {
  readonly pairs: number;
  readonly disagreements: number;
}

export interface Comparison {
  readonly outcome: Outcome;
  /** What did not pass, worst first. */
  readonly findings: readonly Finding[];
  /** Figure, new side, stable side. */
  readonly rows: readonly (readonly string[])[];
}

const judged = [
  ['median', 0.5],
  ['95th percentile', 0.95],
] as const;
/** Differences below this are the network's. */
const noiseMs = 10;
/** Fewer answers have no 95th percentile. */
const latencySamples = 20;

function errorsOf(side: readonly Sample[]): number {
  return side.filter((sample) => sample.verdict === 'error').length;
}

function errorRate(side: readonly Sample[]): number {
  return side.length === 0 ? 0 : errorsOf(side) / side.length;
}

function times(side: readonly Sample[]): number[] {
  return sorted(side.filter((sample) => sample.verdict !== 'error').map((sample) => sample.ms));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function countFinding(fresh: readonly Sample[], limits: Limits): Finding | undefined {
  if (fresh.length >= limits.samples) return undefined;
  const text = `only ${fresh.length} of ${limits.samples} requests were answered in the time given`;
  return { outcome: 'inconclusive', text };
}

function wrongFinding(fresh: readonly Sample[]): Finding | undefined {
  const wrong = fresh.filter((sample) => sample.verdict === 'wrong');
  const [first] = wrong;
  if (first === undefined) return undefined;
  const text = `${wrong.length} of ${fresh.length} golden predictions differ: ${first.name}: ${first.problem ?? ''}`;
  return { outcome: 'fail', text };
}

/** A request that only ever met errors has proven nothing about its prediction. */
function unprovenFinding(fresh: readonly Sample[]): Finding | undefined {
  const right = new Set(fresh.filter((sample) => sample.verdict !== 'error').map((sample) => sample.name));
  const unproven = fresh.find((sample) => !right.has(sample.name));
  if (unproven === undefined) return undefined;
  const text = `${unproven.name} was never answered: ${unproven.problem ?? 'no answer'}`;
  return { outcome: 'fail', text };
}

function errorFinding(
  fresh: readonly Sample[],
  stable: readonly Sample[],
  limits: Limits,
): Finding | undefined {
  const allowed = Math.max(limits.errorRate, errorRate(stable));
  const rate = errorRate(fresh);
  if (rate <= allowed) return undefined;
  const text = `${percent(rate)} of the requests failed, ${percent(allowed)} are allowed`;
  const isSure = shareBounds(errorsOf(fresh), fresh.length).low > allowed;
  return { outcome: isSure ? 'fail' : 'inconclusive', text };
}

function latencyFindings(
  fresh: readonly Sample[],
  stable: readonly Sample[],
  { latencyFactor }: Limits,
): Finding[] {
  if (latencyFactor === undefined || stable.length === 0) return [];
  const [ours, theirs] = [times(fresh), times(stable)];
  if (Math.min(ours.length, theirs.length) < latencySamples) {
    const text = `fewer than ${latencySamples} answers a side say nothing about latency`;
    return [{ outcome: 'inconclusive', text }];
  }
  const allowed = (ms: number): number => Math.max(ms * latencyFactor, ms + noiseMs);
  return judged.flatMap(([name, share]): Finding[] => {
    const point = percentile(ours, share);
    const limit = allowed(percentile(theirs, share));
    if (point <= limit) return [];
    const isSure = percentileBounds(ours, share).low > allowed(percentileBounds(theirs, share).high);
    const text = `the ${name} is ${point.toFixed(0)} ms, ${limit.toFixed(0)} ms are allowed`;
    return [{ outcome: isSure ? 'fail' : 'inconclusive', text }];
  });
}

function latencies(side: readonly Sample[]): string {
  const ascending = times(side);
  if (ascending.length === 0) return '–';
  return `${[0.5, 0.95, 0.99].map((share) => percentile(ascending, share).toFixed(0)).join(' / ')} ms`;
}

function rowsOf(fresh: readonly Sample[], stable: readonly Sample[], shadow: Shadow): (readonly string[])[] {
  const row = (figure: string, of: (side: readonly Sample[]) => string): readonly string[] => [
    figure,
    of(fresh),
    stable.length === 0 ? '–' : of(stable),
  ];
  const wrong = fresh.filter((sample) => sample.verdict === 'wrong').length;
  const share = shadow.pairs === 0 ? '–' : `${shadow.disagreements} of ${shadow.pairs}`;
  return [
    row('Requests', (side) => String(side.length)),
    ['Otherwise than expected', String(wrong), '–'],
    row('Errors', (side) => `${errorsOf(side)} (${percent(errorRate(side))})`),
    row('Time p50 / p95 / p99', latencies),
    ['Answers that differ between the sides', share, share],
  ];
}

/**
 * Judges the new side, by itself and against the stable one (empty in a first deployment). It passes only when every
 * figure is within its limit and was seen often enough; what the samples cannot decide is inconclusive.
 */
export function compare(
  fresh: readonly Sample[],
  stable: readonly Sample[],
  shadow: Shadow,
  limits: Limits,
): Comparison {
  const found = [
    wrongFinding(fresh),
    unprovenFinding(fresh),
    errorFinding(fresh, stable, limits),
    ...latencyFindings(fresh, stable, limits),
    countFinding(fresh, limits),
  ].filter((finding) => finding !== undefined);
  const failures = found.filter((finding) => finding.outcome === 'fail');
  const findings = [...failures, ...found.filter((finding) => !failures.includes(finding))];
  return {
    outcome: findings[0]?.outcome ?? 'pass',
    findings,
    rows: rowsOf(fresh, stable, shadow),
  };
}
