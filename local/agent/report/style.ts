import type { TaskResult } from '../results.ts';

/** Colours, or none: every function gives its text back unchanged when colours are off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly blue: (text: string) => string;
}

function paint(on: boolean, open: number, close: number): (text: string) => string {
  return (text) => (on ? `\u001b[${open}m${text}\u001b[${close}m` : text);
}

export function createStyle(colours: boolean): Style {
  return {
    bold: paint(colours, 1, 22),
    dim: paint(colours, 2, 22),
    red: paint(colours, 31, 39),
    green: paint(colours, 32, 39),
    yellow: paint(colours, 33, 39),
    blue: paint(colours, 36, 39),
  };
}

const marks: Readonly<Record<TaskResult, string>> = {
  Succeeded: '✓',
  SucceededWithIssues: '⚠',
  Failed: '✗',
  Canceled: '■',
  Skipped: '○',
};
const words: Readonly<Record<TaskResult, string>> = {
  Succeeded: 'succeeded',
  SucceededWithIssues: 'succeeded with issues',
  Failed: 'failed',
  Canceled: 'cancelled',
  Skipped: 'skipped',
};

export function colourOf(style: Style, result: TaskResult): (text: string) => string {
  if (result === 'Succeeded') return style.green;
  if (result === 'SucceededWithIssues') return style.yellow;
  return result === 'Skipped' ? style.dim : style.red;
}

/** For example `✓ succeeded`. */
export function resultText(style: Style, result: TaskResult): string {
  return colourOf(style, result)(`${marks[result]} ${words[result]}`);
}

export function markOf(style: Style, result: TaskResult): string {
  return colourOf(style, result)(marks[result]);
}

/** One line of a step's log: `##[error]` and its like become colours. */
export function logLine(style: Style, text: string): string {
  const [, tag = '', rest = text] = /^##\[(\w+)\](.*)$/s.exec(text) ?? [];
  switch (tag.toLowerCase()) {
    case 'error':
      return style.red(`error: ${rest}`);
    case 'warning':
      return style.yellow(`warning: ${rest}`);
    case 'section':
    case 'group':
      return style.bold(rest);
    case 'command':
      return style.blue(rest);
    case 'debug':
      return style.dim(rest);
    case 'endgroup':
      return '';
    default:
      return text;
  }
}
