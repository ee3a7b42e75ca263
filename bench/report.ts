/** One thing that is measured of each run. */
export interface Metric {
  /** What it is called in tables and in the JSON file. */
  readonly name: string;
  /** Unit, for example `s`; empty for counts. */
  readonly unit: string;
}

/** What one run gave: values by the names of metrics. A metric that a contestant has no value for is left out. */
export type Sample = Readonly<Record<string, number>>;

/** One contestant's figure over all rounds. */
export interface Figure {
  /** What was done, for example `1 GiB in one file from nginx`. */
  readonly contest: string;
  readonly name: string;
  readonly metric: string;
  readonly unit: string;
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
  /** Median over the rounds of this contestant's value divided by the reference's in the same round. */
  readonly ratio: number;
}

/** A contestant that did not run, and why. */
export interface Absence {
  readonly contest: string;
  readonly name: string;
  readonly reason: string;
}

/** What a benchmark says to people and to files. */
export interface Report {
  readonly text: string;
  readonly figures: readonly Figure[];
  readonly absent?: readonly Absence[];
}

/** The results of one contest: samples of each contestant, one a round, in the order of the rounds. */
export interface Results {
  readonly contest: string;
  /** The contestant that the others are compared with. */
  readonly reference: string;
  readonly metrics: readonly Metric[];
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function figure(results: Results, name: string, { name: metric, unit }: Metric): Figure[] {
  const own = results.samples.get(name) ?? [];
  const reference = results.samples.get(results.reference) ?? [];
  const values = own.flatMap((sample) => sample[metric] ?? []);
  if (values.length === 0) return [];
  // Within a round all ran under the same load of the machine, so the ratio is taken there.
  const ratios = own.map((sample, round) => (sample[metric] ?? NaN) / (reference[round]?.[metric] ?? NaN));
  return [
    {
      ...{ contest: results.contest, name, metric, unit },
      minimum: Math.min(...values),
      median: median(values),
      maximum: Math.max(...values),
      ratio: median(ratios.filter(Number.isFinite)),
    },
  ];
}

/** Figures of all contestants and metrics. */
export function summarise(results: Results): Figure[] {
  return [...results.samples.keys()].flatMap((name) =>
    results.metrics.flatMap((metric) => figure(results, name, metric)),
  );
}

function written(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function titled(name: string, unit: string): string {
  return unit === '' ? name : `${name} [${unit}]`;
}

function row(name: string, first: string, figures: readonly Figure[], metrics: readonly Metric[]): string[] {
  const of = (metric: string): Figure | undefined =>
    figures.find((it) => it.name === name && it.metric === metric);
  const { minimum, median: middle, maximum, ratio } = of(first) ?? {};
  const others = metrics.slice(1).map((metric) => written(of(metric.name)?.median));
  return [name, written(middle), `${written(minimum)}–${written(maximum)}`, `${written(ratio)}×`, ...others];
}

/** One contest as a Markdown table: the first metric with its spread and ratio, of the others the medians. */
export function table(results: Results): string {
  const { contest, metrics, samples } = results;
  const [first = { name: '', unit: '' }, ...others] = metrics;
  const figures = summarise(results);
  const head = ['', titled(first.name, first.unit), 'least–most', 'ratio'];
  const rows = [
    [...head, ...others.map(({ name, unit }) => titled(name, unit))],
    ...[...samples.keys()].map((name) => row(name, first.name, figures, metrics)),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const lines = rows.map(
    (cells) => `| ${cells.map((cell, at) => pad(cell, at, widths?.[at])).join(' | ')} |`,
  );
  const rule = `|${widths?.map((width, at) => '-'.repeat(width + 1) + (at === 0 ? '-' : ':')).join('|')}|`;
  return [`### ${contest}`, '', lines[0], rule, ...lines.slice(1)].join('\n');
}

function pad(cell: string, column: number, width = 0): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
