import type { Log } from '../host/host.ts';
import { formatBytes, formatSeconds } from './format.ts';

/** Shows a transfer to the person who waits: percentage for the agent, a log line every few seconds. */
export interface ByteProgress {
  /** Counts bytes that have arrived (or left). */
  add(bytes: number): void;
  /** Last figures: total, mean rate. */
  done(): void;
}

export interface ProgressOptions {
  readonly what: string;
  readonly totalBytes: number;
  readonly log: Log;
  /** Milliseconds between log lines; the first comes after one interval, so quick transfers say nothing. */
  readonly intervalMs?: number;
  readonly now?: () => number;
}

/** A meter over `totalBytes`; the rate is the mean since the start, the time left follows from it. */
export function byteProgress(options: ProgressOptions): ByteProgress {
  const now = options.now ?? (() => performance.now());
  const interval = options.intervalMs ?? 3000;
  const started = now();
  let bytes = 0;
  let lastLine = started;
  let lastPercent = -1;

  const report = (): void => {
    const seconds = (now() - started) / 1000;
    const rate = seconds > 0 ? bytes / seconds : 0;
    const left = rate > 0 ? `, ${formatSeconds((options.totalBytes - bytes) / rate)} left` : '';
    const part = `${formatBytes(bytes)} of ${formatBytes(options.totalBytes)}`;
    options.log.info(`${options.what}: ${lastPercent} %, ${part}, ${formatBytes(rate)}/s${left}`);
  };

  return {
    add(count) {
      bytes += count;
      const percent = options.totalBytes === 0 ? 100 : Math.floor((bytes / options.totalBytes) * 100);
      if (percent !== lastPercent) {
        lastPercent = percent;
        options.log.progress(percent, options.what);
      }
      if (now() - lastLine >= interval) {
        lastLine = now();
        report();
      }
    },
    done() {
      const seconds = Math.max((now() - started) / 1000, 0.001);
      options.log.info(
        `${options.what}: ${formatBytes(bytes)} in ${formatSeconds(seconds)} (${formatBytes(bytes / seconds)}/s)`,
      );
    },
  };
}
