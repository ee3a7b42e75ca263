import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../local/lib/context.ts';

const page = 'docs/troubleshooting.md';

/** Literals of other services that are written like codes. */
const others: ReadonlySet<string> = new Set(['WHEN_REQUIRED']);

function sources(folder: string): string {
  return readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(repositoryRoot, folder, name), 'utf8'))
    .join('\n');
}

/** Where a code is written: the value of a property, a branch of a condition, or the last line of a defect. */
function codesIn(text: string): Set<string> {
  const values = [...text.matchAll(/[:?]\s*'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map(
    (match) => match[1] ?? '',
  );
  const single = [...text.matchAll(/\b[cC]ode: '?([A-Z]{4,})'/g)].map((match) => match[1] ?? '');
  return new Set([...values, ...single].filter((code) => !others.has(code)));
}

function documented(text: string): string[] {
  return [...text.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1] ?? '');
}

describe('the troubleshooting page', () => {
  const codes = codesIn(sources('src') + sources('tasks'));
  const lines = documented(readFileSync(join(repositoryRoot, page), 'utf8'));

  it('has a line for every code that a task can end with', () => {
    const missing = [...codes].filter((code) => !lines.includes(code)).sort();
    assert.deepEqual(
      missing,
      [],
      `Add a line for ${missing.join(', ')} to ${page}, in the table of its subject, by alphabet: | \`CODE\` | meaning and likely cause | what to do |`,
    );
  });

  it('has no line for a code that no task ends with', () => {
    const gone = lines.filter((code) => !codes.has(code)).sort();
    assert.deepEqual(gone, [], `Take the lines of ${gone.join(', ')} out of ${page}: no source has them`);
  });

  it('has one line a code', () => {
    const twice = lines.filter((code, index) => lines.indexOf(code) !== index);
    assert.deepEqual(twice, []);
  });

  it('has each table by alphabet', () => {
    const text = readFileSync(join(repositoryRoot, page), 'utf8');
    for (const section of text.split('\n## ').slice(1)) {
      const inSection = documented(section);
      assert.deepEqual(inSection, [...inSection].sort(), section.split('\n')[0]);
    }
  });
});
