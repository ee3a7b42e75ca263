/** One contestant's figure over all rounds. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
  /** Median over the reference's median. */
  readonly ratio: number;
}

/** What a benchmark says to people and to files. */
export interface Report {
  readonly text: string;
  readonly figures: readonly Figure[];
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Figures of all contestants; the one named `reference` is what the others are compared with. */
export function summarise(
  unit: string,
  reference: string,
  samples: ReadonlyMap<string, readonly number[]>,
): Figure[] {
  const base = median([...(samples.get(reference) ?? [])].sort((a, b) => a - b));
  return [...samples].map(([name, values]) => {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = median(sorted);
    const [minimum = Number.NaN] = sorted;
    return {
      name,
      unit,
      minimum,
      median: middle,
      maximum: sorted.at(-1) ?? Number.NaN,
      ratio: middle / base,
    };
  });
}

/** The figures as a table in text. */
export function table(title: string, figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const number = (value: number): string => value.toFixed(value < 10 ? 2 : 0).padStart(8);
  const rows = figures.map(({ name, unit, minimum, median: middle, maximum, ratio }) =>
    [
      `  ${name.padEnd(width)}`,
      number(minimum),
      number(middle),
      number(maximum),
      unit,
      `${ratio.toFixed(2)}×`.padStart(8),
    ].join(' '),
  );
  return [
    title,
    `  ${''.padEnd(width)} ${'least'.padStart(8)} ${'median'.padStart(8)} ${'most'.padStart(8)}`,
    ...rows,
  ].join('\n');
}
