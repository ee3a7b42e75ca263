import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatBytes, formatSeconds, markdownTable } from '../../../src/report/format.ts';
import { nearest } from '../../../src/report/nearest.ts';
import { byteProgress } from '../../../src/report/progress.ts';
import { recordingHost } from '../../support/host.ts';

describe('figures for people', () => {
  it('say bytes in the unit that fits', () => {
    assert.deepEqual([0, 1023, 1024, 3_250_586, 1_073_741_824].map(formatBytes), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '3.1 MiB',
      '1.0 GiB',
    ]);
  });

  it('say seconds as a clock would', () => {
    assert.deepEqual([0.44, 12.4, 185].map(formatSeconds), ['0.4 s', '12 s', '3 min 05 s']);
  });

  it('keep a name from outside inside its table cell', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const table = markdownTable(['Name'], [[name]]);
        assert.equal(table.split('\n').length, 3);
        assert.doesNotMatch(table.split('\n')[2] ?? '', /(?<!\\)</);
      }),
    );
  });

  it('offer the closest names first', () => {
    assert.deepEqual(nearest('modles', ['logs', 'models', 'images', 'model'], 2), ['models', 'model']);
  });
});

describe('progress of a transfer', () => {
  it('gives a line an interval, the rate and the time left', () => {
    let time = 0;
    const { host, said } = recordingHost({ workingFolder: '/' });
    const meter = byteProgress({
      what: 'Fetching',
      totalBytes: 10_240,
      log: host.log,
      intervalMs: 1000,
      now: () => time,
    });
    for (let step = 0; step < 10; step += 1) {
      time += 500;
      meter.add(1024);
    }
    meter.done();
    assert.equal(said.lines.length, 6);
    assert.equal(said.lines[0], 'Fetching: 20 %, 2.0 KiB of 10.0 KiB, 2.0 KiB/s, 4.0 s left');
    assert.equal(said.lines.at(-1), 'Fetching: 10.0 KiB in 5.0 s (2.0 KiB/s)');
  });
});
