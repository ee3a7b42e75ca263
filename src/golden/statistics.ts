/** The range that a figure lies in, as far as the samples tell. */
export interface Bounds {
  readonly low: number;
  /** Infinity when there are too few samples to tell. */
  readonly high: number;
}

/** A bound is on the wrong side in at most one of twenty cases. */
const certainty = 0.95;
/** The normal distribution's quantile of that. */
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

/** The ranks, from 1, between which the percentile lies: as many values below it as the binomial distribution allows. */
function rankBounds(count: number, share: number): Bounds {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let atMost = 0;
  let logProbability = count * Math.log(1 - share);
  for (let below = 0; below < count && high === Number.POSITIVE_INFINITY; below += 1) {
    atMost += Math.exp(logProbability);
    if (atMost <= 1 - certainty) low = below + 1;
    if (atMost >= certainty) high = below + 1;
    logProbability += Math.log(((count - below) / (below + 1)) * (share / (1 - share)));
  }
  return { low, high };
}

/**
 * Bounds of a percentile, whatever the distribution of the values; of the 95th, 59 values have an upper bound.
 * Source: W. J. Conover, "Practical nonparametric statistics", confidence interval for a quantile.
 */
export function percentileBounds(ascending: readonly number[], share: number): Bounds {
  const { low, high } = rankBounds(ascending.length, share);
  return {
    low: ascending[low - 1] ?? 0,
    high: ascending[high - 1] ?? Number.POSITIVE_INFINITY,
  };
}
