import { formatSeconds } from '../../../src/report/format.ts';
import type { Printer } from './printer.ts';
import { createStyle, logLine, markOf, type Style } from './style.ts';
import { summaryLines } from './summary.ts';

/** Where a run is printed. `columns` is the screen's width; undefined when it is no screen. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ConsoleOptions {
  readonly screen: Screen;
  /** Default: on a screen. */
  readonly colours?: boolean;
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

interface LiveLine {
  start(text: string): void;
  say(text: string): void;
  /** Writes whole lines above the live one. */
  print(text: string): void;
  stop(): void;
}

/** A line at the bottom that tells what goes on; on anything but a screen it is never there. */
function liveLine(screen: Screen, style: Style): LiveLine {
  let shown = '';
  let frame = 0;
  let started = 0;
  let timer: NodeJS.Timeout | undefined;
  const clear = (): void =>
    void (screen.isTTY === true && timer !== undefined && screen.write('\r\u001b[2K'));
  const draw = (): void => {
    const seconds = formatSeconds((performance.now() - started) / 1000);
    const text = `${spinner[frame % spinner.length] ?? ''} ${shown} (${seconds})`;
    screen.write(`\r\u001b[2K${style.dim(text.slice(0, Math.max(10, (screen.columns || 80) - 1)))}`);
    frame += 1;
  };
  return {
    start(text) {
      shown = text;
      started = performance.now();
      if (screen.isTTY !== true) return;
      timer = setInterval(draw, 100);
      timer.unref();
    },
    say(text) {
      shown = text;
    },
    print(text) {
      clear();
      screen.write(`${text}\n`);
    },
    stop() {
      clear();
      clearInterval(timer);
      timer = undefined;
    },
  };
}

/** Prints a run for a person: headers, each step with its indented log, and a table at the end. */
export function consolePrinter(options: ConsoleOptions): Printer {
  const { screen } = options;
  const style = createStyle(options.colours ?? screen.isTTY === true);
  const live = liveLine(screen, style);
  let step = '';
  return {
    start(title, notes) {
      live.print(style.bold(title));
      for (const note of notes) live.print(style.yellow(`  ! ${note}`));
    },
    stage: (displayName) => live.print(`\n${style.bold(`Stage ${displayName}`)}`),
    job: (displayName) => live.print(style.bold(`Job ${displayName}`)),
    skipped: (what, reason) => live.print(`${markOf(style, 'Skipped')} ${style.dim(`${what}: ${reason}`)}`),
    step(displayName, task) {
      step = displayName;
      const what = task === displayName ? '' : style.dim(` (${task})`);
      live.print(`${style.blue('▶')} ${style.bold(displayName)}${what}`);
      live.start(displayName);
    },
    line: (text) => live.print(`  ${style.dim('│')} ${logLine(style, text)}`.trimEnd()),
    progress: (percent, what) => live.say(`${step}: ${what === '' ? '' : `${what}, `}${percent} %`),
    stepEnd(displayName, result, seconds) {
      live.stop();
      live.print(`${markOf(style, result)} ${displayName}  ${style.dim(formatSeconds(seconds))}`);
    },
    end(result) {
      live.stop();
      for (const line of summaryLines(result, style)) live.print(line);
    },
  };
}
