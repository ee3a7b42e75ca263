import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compare, type Limits, type Sample } from '../../../src/golden/comparison.ts';
import { percentile, percentileBounds, shareBounds, sorted } from '../../../src/golden/statistics.ts';

function samples(count: number, ms: number, verdict: Sample['verdict'] = 'right'): Sample[] {
  return Array.from({ length: count }, () => ({ name: 'a', ms, verdict, problem: 'status 500' }));
}

const shadow = { pairs: 0, disagreements: 0 };
const limits: Limits = { samples: 100, errorRate: 0.01, latencyFactor: 1.2 };
const milliseconds = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });

describe('The bounds of a share', () => {
  it('hold the share that was seen, lie between 0 and 1 and narrow with more samples', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 500 }), (count, more) => {
        const total = count + more;
        const { low, high } = shareBounds(count, total);
        assert.ok(low >= 0 && low <= count / total && count / total <= high && high <= 1);
        const tenfold = shareBounds(10 * count, 10 * total);
        assert.ok(tenfold.high - tenfold.low <= high - low + 1e-9);
      }),
    );
  });

  it('say nothing without samples', () => {
    assert.deepEqual(shareBounds(0, 0), { low: 0, high: 1 });
  });
});

describe('A percentile', () => {
  it('is one of the values, within its bounds, and never lower for a higher share', () => {
    fc.assert(
      fc.property(milliseconds, fc.constantFrom(0.5, 0.9, 0.95, 0.99), (values, share) => {
        const ascending = sorted(values);
        const value = percentile(ascending, share);
        const { low, high } = percentileBounds(ascending, share);
        assert.ok(values.includes(value) && low <= value && value <= high);
        assert.ok(percentile(ascending, 0.5) <= percentile(ascending, 0.95));
      }),
    );
  });

  it('has no upper bound while there are too few values', () => {
    const high = (count: number) => percentileBounds(sorted([...Array(count).keys()]), 0.95).high;
    assert.deepEqual([high(3), high(58), high(59)], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 58]);
  });
});

describe('New pods beside the stable ones', () => {
  it('pass when they are as good', () => {
    const { outcome, findings } = compare(samples(100, 20), samples(100, 20), shadow, limits);
    assert.deepEqual([outcome, findings], ['pass', []]);
  });

  it('never pass with fewer answers than asked for, whatever these say', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.integer({ min: 1, max: 500 }), (count, ms) => {
        assert.notEqual(compare(samples(count, ms), samples(count, ms), shadow, limits).outcome, 'pass');
      }),
    );
  });

  it('fail by a single prediction that differs', () => {
    const fresh = [...samples(99, 20), ...samples(1, 20, 'wrong')];
    assert.equal(compare(fresh, samples(100, 20), shadow, limits).outcome, 'fail');
  });

  it('fail when a request was never answered', () => {
    const never = [{ name: 'b', ms: 1, verdict: 'error', problem: 'status 503' }] as const;
    const { outcome, findings } = compare([...samples(99, 20), ...never], samples(100, 20), shadow, limits);
    assert.equal(outcome, 'fail');
    assert.match(findings[0]?.text ?? '', /b was never answered: status 503/);
  });

  it('fail by errors that are surely too many, and are undecided by a few more than allowed', () => {
    const withErrors = (count: number) =>
      compare(
        [...samples(100 - count, 20), ...samples(count, 20, 'error')],
        samples(100, 20),
        shadow,
        limits,
      );
    assert.equal(withErrors(1).outcome, 'pass');
    assert.equal(withErrors(2).outcome, 'inconclusive');
    assert.equal(withErrors(8).outcome, 'fail');
  });

  it('may fail as often as the stable ones do', () => {
    const half = [...samples(50, 20), ...samples(50, 20, 'error')];
    assert.equal(compare(half, half, shadow, limits).outcome, 'pass');
  });

  it('fail when they are surely slower, and are undecided by a few slow answers', () => {
    const slower = (slow: number) =>
      compare([...samples(100 - slow, 20), ...samples(slow, 90)], samples(100, 20), shadow, limits).outcome;
    assert.deepEqual([slower(3), slower(6), slower(40)], ['pass', 'inconclusive', 'fail']);
  });

  it('are judged by themselves in a first deployment', () => {
    const { outcome, rows } = compare(samples(100, 20), [], shadow, limits);
    assert.equal(outcome, 'pass');
    assert.ok(rows.every((row) => row.length === 3 && row[2] === '–'));
  });
});
