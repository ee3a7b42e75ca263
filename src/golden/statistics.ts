/** The range that a figure lies in, as far as the samples tell. */
export interface Bounds {
  readonly low: number;
  /** Infinity when there are too few samples to tell. */
  readonly high: number;
}

/** One-sided 95 %: a good image is called bad in at most one of twenty borderline cases. */
const z = 1.6449;

/**
 * Bounds of a share of which `count` of `total` samples were seen, between 0 and 1.
 * Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
 */
export function shareBounds(count: number, total: number): Bounds {
  if (total === 0) return { low: 0, high: 1 };
  const share = count / total;
  const spread = z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
  const centre = share + (z * z) / (2 * total);
  const scale = 1 + (z * z) / total;
  const low = count === 0 ? 0 : Math.max(0, (centre - spread) / scale);
  const high = count === total ? 1 : Math.min(1, (centre + spread) / scale);
  return { low, high };
}

export function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

/** The smallest value that at least this share of the sorted values do not exceed (nearest rank); NaN of none. */
export function percentile(ascending: readonly number[], share: number): number {
  const rank = Math.max(1, Math.ceil(share * ascending.length));
  return ascending[rank - 1] ?? Number.NaN;
}

/**
 * Bounds of a percentile, whatever the distribution: the values at the ranks that the binomial distribution
 * allows. Source: https://www.itl.nist.gov/div898/handbook/prc/section2/prc262.htm (order statistics).
 */
export function percentileBounds(ascending: readonly number[], share: number): Bounds {
  const count = ascending.length;
  const spread = z * Math.sqrt(count * share * (1 - share));
  const low = Math.floor(count * share - spread);
  const high = Math.ceil(count * share + spread) + 1;
  return {
    low: low < 1 ? 0 : (ascending[low - 1] ?? 0),
    high: high > count ? Number.POSITIVE_INFINITY : (ascending[high - 1] ?? Number.POSITIVE_INFINITY),
  };
}
