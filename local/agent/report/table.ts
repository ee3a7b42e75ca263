const escapeSequence = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

/** Columns that a text takes on a screen, colours not counted. */
function width(text: string): number {
  return [...text.replace(escapeSequence, '')].length;
}

/** Rows with their cells aligned, two spaces between columns; no row ends in spaces. */
export function alignedTable(rows: readonly (readonly string[])[], indent = ''): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => width(row[column] ?? ''))),
  );
  return rows.map((row) =>
    (
      indent + row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell))).join('  ')
    ).trimEnd(),
  );
}
