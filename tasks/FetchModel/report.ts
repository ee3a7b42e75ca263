import type { Delivered } from '../../src/model/delivery.ts';
import type { Candidate, Selection } from '../../src/model/selection/types.ts';
import { formatBytes, formatSeconds, markdownTable, shortDigest } from '../../src/report/format.ts';
import type { Verdict } from './earlier.ts';

const candidatesShown = 10;
const filesShown = 50;

function candidateCells({ version, newest, files, size }: Candidate): string[] {
  return [
    version,
    newest?.toISOString() ?? '',
    files === undefined ? '' : String(files),
    size === undefined ? '' : formatBytes(size),
  ];
}

/** Columns padded to equal width. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The candidates, the choice and why, for the log. */
export function explainSelection(selection: Selection): string[] {
  const shown = selection.candidates.slice(0, candidatesShown);
  const table = aligned([
    ['  Version', 'Last written', 'Files', 'Size'],
    ...shown.map((candidate, index) => {
      const [version = '', ...rest] = candidateCells(candidate);
      return [`${index === 0 ? '>' : ' '} ${version}`, ...rest];
    }),
  ]);
  const more = selection.considered - shown.length;
  return [
    ...table,
    ...(more > 0 ? [`  … and ${more} more`] : []),
    `Chosen: ${selection.version}, because ${selection.reason}.`,
    ...selection.notes.map((note) => `Note: ${note}`),
  ];
}

export interface SummaryParts {
  readonly selection: Selection;
  readonly delivered: Delivered;
  readonly mode: 'download' | 'resolve';
  readonly signer?: string;
  readonly verdict: Verdict;
  readonly seconds: number;
}

/** The run's summary page: version, source, digest, bytes, files. */
export function summaryOf({ selection, delivered, mode, signer, verdict, seconds }: SummaryParts): string {
  const { lock, fetchedBytes, reusedBytes } = delivered;
  const moved =
    mode === 'resolve'
      ? 'none (resolved only)'
      : `${formatBytes(fetchedBytes)} (${formatBytes(reusedBytes)} reused)`;
  const facts = markdownTable(
    ['Model', lock.name],
    [
      ['Version', lock.version],
      [verdict.changed ? 'Changed' : 'Unchanged', verdict.why],
      ['Chosen because', selection.reason],
      ['Source', lock.source.url],
      ['Digest', lock.digest ?? 'not known yet'],
      ...(signer === undefined ? [] : [['Signed by', signer]]),
      ['Size', formatBytes(lock.size)],
      ['Bytes moved', moved],
      ['Time', formatSeconds(seconds)],
    ],
  );
  const files = markdownTable(
    ['File', 'Size', 'SHA-256', 'ETag'],
    lock.files
      .slice(0, filesShown)
      .map((file) => [
        file.path,
        formatBytes(file.size),
        file.sha256 === undefined ? '' : shortDigest(file.sha256),
        file.etag,
      ]),
  );
  const candidates = markdownTable(
    ['Candidate', 'Last written', 'Files', 'Size'],
    selection.candidates.slice(0, candidatesShown).map(candidateCells),
  );
  const findings = delivered.findings.map(({ file, kind, text }) => [kind, file, text]);
  const inspected =
    findings.length === 0 ? [] : ['', markdownTable(['Content', 'File', 'Finding'], findings)];
  const more = lock.files.length > filesShown ? [`… and ${lock.files.length - filesShown} more files.`] : [];
  return [facts, '', candidates, '', files, ...more, ...inspected].join('\n');
}
